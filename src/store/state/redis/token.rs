//! The values of the token cache, which Dify reads and writes as well.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{
    id::WorkspaceId,
    session::TokenContext,
    subject::{ACCOUNT_ISSUER, Subject},
};

/// The value that stands for a token known to be dead.
pub(super) const INVALID: &str = "invalid";
/// Seconds a live context is kept, and an invalidation.
pub(super) const KEEP_LIVE: u32 = 60;
/// Seconds an unknown hash is remembered.
pub(super) const KEEP_UNKNOWN: u32 = 10;

#[derive(Serialize)]
struct Written<'a> {
    subject_email: &'a str,
    subject_issuer: &'a str,
    account_id: Option<String>,
    client_id: &'a str,
    token_id: String,
    expires_at: String,
    verified_tenants: BTreeMap<String, bool>,
}

/// Texts are owned because JSON may escape them.
#[derive(Deserialize)]
struct Read {
    subject_email: String,
    subject_issuer: Option<String>,
    account_id: Option<String>,
    client_id: String,
    token_id: String,
    expires_at: String,
    #[serde(default)]
    verified_tenants: Value,
}

/// Writes a context as Dify does: with `+00:00`, which every Python reads, unlike `Z`.
pub(super) fn write(context: &TokenContext) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Written {
        subject_email: context.subject.email(),
        subject_issuer: context.subject.stored_issuer(),
        account_id: context.subject.account_id().map(|id| id.to_string()),
        client_id: &context.client_id,
        token_id: context.token_id.to_string(),
        expires_at: context.expires_at.to_rfc3339_opts(SecondsFormat::Micros, false),
        verified_tenants: context.verdicts.iter().flatten().map(|(id, member)| (id.to_string(), *member)).collect(),
    })
}

/// Reads a context; `None` for anything that is not one, which SQL then decides.
pub(super) fn read(json: &str) -> Option<TokenContext> {
    let entry: Read = serde_json::from_str(json).ok()?;
    let subject = match (entry.account_id, entry.subject_issuer) {
        (Some(id), _) => Subject::Account { id: id.parse().ok()?, email: entry.subject_email },
        // An account's entry without its account: it was deleted, and SQL knows what to do.
        (None, Some(issuer)) if !issuer.is_empty() && issuer != ACCOUNT_ISSUER => {
            Subject::ExternalSso { email: entry.subject_email, issuer }
        }
        (None, _) => return None,
    };
    Some(TokenContext {
        token_id: entry.token_id.parse().ok()?,
        subject,
        client_id: entry.client_id,
        expires_at: moment(&entry.expires_at)?,
        verdicts: Some(verdicts(&entry.verified_tenants)),
    })
}

/// Skips what is not a verdict.
fn verdicts(stored: &Value) -> BTreeMap<WorkspaceId, bool> {
    let stored = stored.as_object().into_iter().flatten();
    stored.filter_map(|(id, member)| Some((id.parse().ok()?, member.as_bool()?))).collect()
}

/// ISO 8601 with `Z`, an offset, or, as a naive Python datetime prints, neither: then it is UTC.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(moment) => Some(moment.to_utc()),
        Err(_) => text.parse::<NaiveDateTime>().ok().map(|naive| naive.and_utc()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{moment, read};

    #[test]
    fn times_are_read_in_every_spelling_dify_has_used() {
        for (text, micros) in [
            ("2026-05-01T00:00:00Z", 0),
            ("2026-05-01T00:00:00+00:00", 0),
            ("2026-05-01T00:00:00.25Z", 250_000),
            ("2026-05-01T02:00:00.000001+02:00", 1),
            ("2026-05-01T00:00:00", 0),
        ] {
            let found = moment(text).map(|found| found.timestamp_micros());
            assert_eq!(found, Some(1_777_593_600_000_000 + micros), "{text}");
        }
        assert_eq!(moment("tomorrow"), None);
    }

    proptest! {
        #[test]
        fn garbage_is_nothing(text in "\\PC*") {
            prop_assert_eq!(read(&text), None);
        }
    }
}
