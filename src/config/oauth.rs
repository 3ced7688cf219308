//! Tokens and the device flow.

use std::time::Duration;

use super::reader::Reader;

const DAY: u64 = 86_400;

/// The OAuth section.
#[derive(Clone, Debug)]
pub struct OAuth {
    /// `ENABLE_OAUTH_BEARER`: whether tokens are accepted and minted at all.
    pub bearer_enabled: bool,
    /// `OPENAPI_KNOWN_CLIENT_IDS`.
    pub known_client_ids: Vec<String>,
    /// `OAUTH_TTL_DAYS`: lifetime of new tokens.
    pub token_lifetime: Duration,
    /// `OAUTH_ACCESS_TOKEN_RETENTION_DAYS`: how long dead rows are kept.
    pub retention: Duration,
    /// `ENABLE_CLEAN_OAUTH_ACCESS_TOKENS_TASK`: whether the retention job runs.
    pub clean_enabled: bool,
    /// `DEVICE_FLOW_VERIFICATION_URI_COMPLETE`: whether `device/code` offers the link with the code in it.
    pub verification_uri_complete: bool,
}

impl OAuth {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        const CLIENTS: &str = "OPENAPI_KNOWN_CLIENT_IDS";
        let known_client_ids = reader.list(CLIENTS).unwrap_or_else(|| vec!["difyctl".to_owned()]);
        // `oauth_access_tokens.client_id` is a VARCHAR(64); RFC 6749 appendix A.1 allows printable ASCII.
        let fits = |id: &String| id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_graphic());
        if known_client_ids.is_empty() || !known_client_ids.iter().all(fits) {
            reader.problem(
                CLIENTS,
                "has an id that is empty, over 64 characters or not plain ASCII; write difyctl,my-client",
            );
        }
        Self {
            bearer_enabled: reader.flag("ENABLE_OAUTH_BEARER", true),
            known_client_ids,
            token_lifetime: Duration::from_secs(read_ttl_days(reader) * DAY),
            retention: Duration::from_secs(reader.number("OAUTH_ACCESS_TOKEN_RETENTION_DAYS", 30, 0..=36_500) * DAY),
            clean_enabled: reader.flag("ENABLE_CLEAN_OAUTH_ACCESS_TOKENS_TASK", true),
            verification_uri_complete: reader.flag("DEVICE_FLOW_VERIFICATION_URI_COMPLETE", true),
        }
    }
}

/// Clamped rather than refused, as Dify does with a value it is handed (contract section 3).
fn read_ttl_days(reader: &mut Reader<'_>) -> u64 {
    const NAME: &str = "OAUTH_TTL_DAYS";
    let Some(days) = reader.text(NAME).and_then(|text| text.parse::<i64>().ok()) else {
        return reader.number(NAME, 14, 1..=365);
    };
    let clamped = days.clamp(1, 365);
    if clamped != days {
        reader.warning(NAME, format_args!("is {days}, so {clamped} is used; set it to a number of days from 1 to 365"));
    }
    clamped.unsigned_abs()
}
