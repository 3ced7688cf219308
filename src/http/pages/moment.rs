//! Moments as pages write them: for people to the minute in UTC, for programs in RFC 3339.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

/// A moment in both forms.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Moment {
    /// For the `datetime` attribute.
    machine: String,
    /// For reading.
    human: String,
}

impl From<DateTime<Utc>> for Moment {
    fn from(time: DateTime<Utc>) -> Self {
        Self {
            machine: time.to_rfc3339_opts(SecondsFormat::Secs, true),
            human: time.format("%Y-%m-%d %H:%M UTC").to_string(),
        }
    }
}

impl Moment {
    /// A moment a store tells in milliseconds since the epoch; one beyond the calendar is its beginning.
    pub(super) fn of_millis(millis: u64) -> Self {
        i64::try_from(millis).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default().into()
    }
}
