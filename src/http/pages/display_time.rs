//! Times as pages show them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

/// A time in two forms.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DisplayTime {
    /// RFC 3339 with seconds, for the `datetime` attribute.
    rfc3339: String,
    /// For people: to the minute, in UTC.
    text: String,
}

impl From<DateTime<Utc>> for DisplayTime {
    fn from(time: DateTime<Utc>) -> Self {
        Self {
            rfc3339: time.to_rfc3339_opts(SecondsFormat::Secs, true),
            text: time.format("%Y-%m-%d %H:%M UTC").to_string(),
        }
    }
}

impl DisplayTime {
    /// From milliseconds since the epoch; the epoch itself when chrono cannot represent the time.
    pub(super) fn from_unix_millis(millis: u64) -> Self {
        i64::try_from(millis).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default().into()
    }
}
