//! The JSON of a live cache entry, as Dify reads and writes it (contract section 3).

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{
    id::WorkspaceId,
    session::TokenContext,
    subject::{ACCOUNT_ISSUER, Subject},
};

/// The entry of a token that is revoked or that no session has.
pub(super) const INVALID: &str = "invalid";

#[derive(Serialize)]
struct EntryToWrite<'a> {
    subject_email: &'a str,
    subject_issuer: &'a str,
    account_id: Option<String>,
    client_id: &'a str,
    token_id: String,
    expires_at: String,
    verified_tenants: BTreeMap<String, bool>,
}

/// Strings are owned because JSON may escape them.
#[derive(Deserialize)]
struct StoredEntry {
    subject_email: String,
    subject_issuer: Option<String>,
    account_id: Option<String>,
    client_id: String,
    token_id: String,
    expires_at: String,
    #[serde(default)]
    verified_tenants: Value,
}

/// Writes a context as Dify does, with `+00:00`: not every Python reads `Z`.
pub(super) fn write(context: &TokenContext) -> Result<String, serde_json::Error> {
    serde_json::to_string(&EntryToWrite {
        subject_email: context.subject.email(),
        subject_issuer: context.subject.stored_issuer(),
        account_id: context.subject.account_id().map(|id| id.to_string()),
        client_id: &context.client_id,
        token_id: context.token_id.to_string(),
        expires_at: context.expires_at.to_rfc3339_opts(SecondsFormat::Micros, false),
        verified_tenants: context.verdicts.iter().flatten().map(|(id, member)| (id.to_string(), *member)).collect(),
    })
}

/// Reads a context. Returns `None` for any other text.
pub(super) fn read(json: &str) -> Option<TokenContext> {
    let entry: StoredEntry = serde_json::from_str(json).ok()?;
    let subject = match (entry.account_id, entry.subject_issuer) {
        (Some(id), _) => Subject::Account { id: id.parse().ok()?, email: entry.subject_email },
        // An account's entry without an account id: the account was deleted. SQL decides.
        (None, Some(issuer)) if !issuer.is_empty() && issuer != ACCOUNT_ISSUER => {
            Subject::ExternalSso { email: entry.subject_email, issuer }
        }
        (None, _) => return None,
    };
    Some(TokenContext {
        token_id: entry.token_id.parse().ok()?,
        subject,
        client_id: entry.client_id,
        expires_at: read_time(&entry.expires_at)?,
        verdicts: Some(read_verdicts(&entry.verified_tenants)),
    })
}

/// Reads the memberships that are well-formed.
fn read_verdicts(stored: &Value) -> BTreeMap<WorkspaceId, bool> {
    let stored = stored.as_object().into_iter().flatten();
    stored.filter_map(|(id, member)| Some((id.parse().ok()?, member.as_bool()?))).collect()
}

/// Reads an ISO 8601 time with `Z` or an offset. One with neither is a naive Python datetime, in UTC.
fn read_time(text: &str) -> Option<DateTime<Utc>> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) => Some(time.to_utc()),
        Err(_) => text.parse::<NaiveDateTime>().ok().map(|naive| naive.and_utc()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{read, read_time};

    #[test]
    fn time_is_read_in_every_format_dify_has_used() {
        for (text, micros) in [
            ("2026-05-01T00:00:00Z", 0),
            ("2026-05-01T00:00:00+00:00", 0),
            ("2026-05-01T00:00:00.25Z", 250_000),
            ("2026-05-01T02:00:00.000001+02:00", 1),
            ("2026-05-01T00:00:00", 0),
        ] {
            let found = read_time(text).map(|found| found.timestamp_micros());
            assert_eq!(found, Some(1_777_593_600_000_000 + micros), "{text}");
        }
        assert_eq!(read_time("tomorrow"), None);
    }

    proptest! {
        #[test]
        fn unreadable_text_returns_none(text in "\\PC*") {
            prop_assert_eq!(read(&text), None);
        }
    }
}
