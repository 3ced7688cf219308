//! Timestamps in the precision and form of the columns.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};

/// A time in microseconds, the finest precision that every database stores.
pub(super) fn to_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(6)
}

/// A time for one of Dify's columns without time zone, which hold UTC.
pub(super) fn naive_utc(at: DateTime<Utc>) -> NaiveDateTime {
    to_micros(at).naive_utc()
}
