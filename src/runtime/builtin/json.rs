//! JSON objects, and how their members are read.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A JSON object.
pub(crate) type JsonObject = Map<String, Value>;

/// Reads `null` as the default value: Dify's editor writes `null` for a field that was cleared.
pub(crate) fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
