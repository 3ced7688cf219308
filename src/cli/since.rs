//! Parses `--since`: a time, a date or an age.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::age::parse_age;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    At(DateTime<Utc>),
    Ago(TimeDelta),
}

impl Since {
    /// The absolute time.
    pub(crate) fn resolve(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(time) => time,
            // An age that reaches before the calendar selects everything.
            Self::Ago(ago) => now.checked_sub_signed(ago).unwrap_or(DateTime::<Utc>::MIN_UTC),
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(time.to_utc()));
        }
        if let Some(midnight) = text.parse::<NaiveDate>().ok().and_then(|date| date.and_hms_opt(0, 0, 0)) {
            return Ok(Self::At(midnight.and_utc()));
        }
        parse_age(text).map(Self::Ago).ok_or_else(|| {
            format!("`{text}` is not a time; write 2026-11-20T08:00:00Z, 2026-11-20 (UTC), 90m, 2h or 3d")
        })
    }
}
