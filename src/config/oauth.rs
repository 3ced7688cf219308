//! Bearer tokens and the device flow.

use std::{collections::BTreeMap, time::Duration};

use super::{reader::Reader, settings};
use crate::domain::text::visible_name;

const DAY: u64 = 86_400;
/// Limit of a command in characters.
const MAX_COMMAND: usize = 200;

#[derive(Clone, Debug)]
pub struct OAuth {
    /// Whether bearer tokens are accepted and issued.
    pub bearer_enabled: bool,
    pub known_client_ids: Vec<String>,
    /// The command with which a client signs in, by client id.
    pub client_commands: BTreeMap<String, String>,
    pub token_lifetime: Duration,
    /// Time that ended sessions are kept.
    pub retention: Duration,
    /// Whether the retention job runs.
    pub clean_enabled: bool,
    /// Whether `device/code` returns `verification_uri_complete`.
    pub verification_uri_complete: bool,
}

impl OAuth {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let known_client_ids = reader.list(&settings::OPENAPI_KNOWN_CLIENT_IDS);
        // `oauth_access_tokens.client_id` is a VARCHAR(64); RFC 6749 appendix A.1 allows printable ASCII.
        let fits = |id: &String| id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_graphic());
        if known_client_ids.is_empty() || !known_client_ids.iter().all(fits) {
            reader.problem(
                &settings::OPENAPI_KNOWN_CLIENT_IDS,
                "has an id that is empty, over 64 characters or not plain ASCII; write difyctl,my-client",
            );
        }
        let retention_days: u64 = reader.number(&settings::OAUTH_ACCESS_TOKEN_RETENTION_DAYS, 0..=36_500);
        Self {
            bearer_enabled: reader.flag(&settings::ENABLE_OAUTH_BEARER),
            client_commands: read_client_commands(reader, &known_client_ids),
            known_client_ids,
            token_lifetime: Duration::from_secs(read_ttl_days(reader) * DAY),
            retention: Duration::from_secs(retention_days * DAY),
            clean_enabled: reader.flag(&settings::ENABLE_CLEAN_OAUTH_ACCESS_TOKENS_TASK),
            verification_uri_complete: reader.flag(&settings::DEVICE_FLOW_VERIFICATION_URI_COMPLETE),
        }
    }
}

/// Parses `client=command,…`.
fn read_client_commands(reader: &mut Reader<'_>, clients: &[String]) -> BTreeMap<String, String> {
    let setting = &settings::OPENAPI_CLIENT_COMMANDS;
    let mut commands = BTreeMap::new();
    for part in reader.list(setting) {
        let (client, command) = part.split_once('=').unwrap_or((&part, ""));
        let (client, command) = (client.trim(), visible_name(command).unwrap_or_default());
        if command.is_empty() || command.chars().count() > MAX_COMMAND {
            reader.problem(
                setting,
                format_args!(
                    "contains `{part}`; write client=command, like acme-cli=acme login, with a printable command of at \
                     most {MAX_COMMAND} characters"
                ),
            );
        } else if !clients.iter().any(|known| known == client) {
            reader.problem(
                setting,
                format_args!("names `{client}`, which is not in OPENAPI_KNOWN_CLIENT_IDS; add it there too"),
            );
        } else if commands.insert(client.to_owned(), command).is_some() {
            reader.problem(setting, format_args!("names `{client}` twice; write one command for each client"));
        }
    }
    commands
}

/// A number out of range is clamped and not refused, as in Dify (contract section 3).
fn read_ttl_days(reader: &mut Reader<'_>) -> u64 {
    let setting = &settings::OAUTH_TTL_DAYS;
    let Some(days) = reader.text(setting).and_then(|text| text.parse::<i64>().ok()) else {
        return reader.number(setting, 1..=365);
    };
    let clamped = days.clamp(1, 365);
    if clamped != days {
        reader.warning(
            setting,
            format_args!("is {days}, so {clamped} is used; set it to a number of days from 1 to 365"),
        );
    }
    clamped.unsigned_abs()
}
