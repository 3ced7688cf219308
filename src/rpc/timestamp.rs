//! A wire-compatible `google.protobuf.Timestamp`. On the JSON door it is RFC 3339 in UTC with whole seconds.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct Timestamp {
    /// Seconds since the epoch.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Always 0, because the contract has whole seconds.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(moment: DateTime<Utc>) -> Self {
        Self { seconds: moment.timestamp(), nanos: 0 }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let moment = DateTime::from_timestamp(self.seconds, 0)
            .ok_or_else(|| serde::ser::Error::custom("a moment outside the calendar"))?;
        serializer.serialize_str(&moment.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}
