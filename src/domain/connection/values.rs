//! The values of credentials and of OAuth clients: a JSON object whose texts may be secrets.

use std::fmt;

use serde_json::{Map, Value};
use zeroize::Zeroize as _;

use super::field::{CredentialField, FieldKind};
use crate::domain::{
    error::{Error, Result},
    secret::Secret,
};

/// The text that stands for a stored secret in an update (Dify's).
pub(crate) const HIDDEN: &str = "[__HIDDEN__]";
/// Secrets of fewer characters are masked whole.
const MIN_PARTLY_SHOWN: usize = 9;
/// Longest text of one value in bytes.
const MAX_VALUE: usize = 16 * 1024;
/// Longest values of one row, as JSON in bytes.
pub(crate) const MAX_VALUES: usize = 48 * 1024;

/// The values of credentials. They are not printed, and are zeroed on drop.
#[derive(Clone, Default, PartialEq)]
pub struct CredentialValues(Map<String, Value>);

impl fmt::Debug for CredentialValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialValues(redacted)")
    }
}

impl Drop for CredentialValues {
    fn drop(&mut self) {
        for value in self.0.values_mut() {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}

impl CredentialValues {
    pub fn new(values: Map<String, Value>) -> Self {
        Self(values)
    }

    /// Reads a JSON object.
    pub fn from_json(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().map(Self)
    }

    /// The values as a JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// The values, for their user or their store. They must not be printed.
    pub fn expose(&self) -> &Map<String, Value> {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of a value; `None` for a missing, empty or other value.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// Replaces the values that `newer` has.
    pub fn merge(&mut self, newer: &Self) {
        for (name, value) in &newer.0 {
            self.0.insert(name.clone(), value.clone());
        }
    }

    /// The values as people see them: secrets show their first and last two characters. A value without a field is a
    /// secret.
    pub fn masked(&self, fields: &[CredentialField]) -> Map<String, Value> {
        let mask = |(name, value): (&String, &Value)| {
            let shown = if is_public(fields, name) { value.clone() } else { Value::String(masked_text(value)) };
            (name.clone(), shown)
        };
        self.0.iter().map(mask).collect()
    }

    /// The texts among the values that are secrets. A value without a field is one.
    pub(crate) fn secrets(&self, fields: &[CredentialField]) -> Vec<Secret> {
        let secret = |(name, value): (&String, &Value)| {
            value.as_str().filter(|text| !is_public(fields, name) && !text.is_empty()).map(Secret::new)
        };
        self.0.iter().filter_map(secret).collect()
    }

    /// Checks values that a person entered against the fields, keeps the stored value of hidden secrets, and drops
    /// values without a field. Fails with `invalid_param`.
    pub fn entered(fields: &[CredentialField], entered: &Self, stored: Option<&Self>) -> Result<Self> {
        let mut values = Map::new();
        for field in fields {
            let value = match entered.0.get(&field.name) {
                Some(Value::String(text)) if text == HIDDEN && field.kind == FieldKind::Secret => {
                    stored.and_then(|stored| stored.0.get(&field.name)).cloned()
                }
                Some(Value::Null) | None => field.default.clone(),
                Some(Value::String(text)) if text.is_empty() => field.default.clone(),
                Some(value) => Some(value.clone()),
            };
            let Some(value) = value else {
                if field.required {
                    return Err(Error::invalid_param("body", &field.name, "is required"));
                }
                continue;
            };
            field.check(&value).map_err(|reason| Error::invalid_param("body", &field.name, reason))?;
            if value.as_str().is_some_and(|text| text.len() > MAX_VALUE) {
                return Err(Error::invalid_param("body", &field.name, "is too long"));
            }
            values.insert(field.name.clone(), value);
        }
        let values = Self(values);
        if values.to_json().len() > MAX_VALUES {
            return Err(Error::invalid_param("body", "credentials", "the values are too long"));
        }
        Ok(values)
    }
}

fn is_public(fields: &[CredentialField], name: &str) -> bool {
    fields.iter().any(|field| field.name == name && field.kind != FieldKind::Secret)
}

fn masked_text(value: &Value) -> String {
    const STARS: &str = "********";
    let text = value.as_str().unwrap_or_default();
    let symbols: Vec<char> = text.chars().collect();
    if symbols.len() < MIN_PARTLY_SHOWN {
        return STARS.to_owned();
    }
    let (first, last) = (&symbols[..2], &symbols[symbols.len() - 2..]);
    first.iter().copied().chain(STARS.chars()).chain(last.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(name: &str, kind: FieldKind, required: bool) -> CredentialField {
        CredentialField { required, ..CredentialField::new(name, kind) }
    }

    fn values(value: &Value) -> CredentialValues {
        CredentialValues::from_json(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn secrets_are_masked_and_public_values_are_not() {
        let fields = [field("id", FieldKind::Text, true), field("secret", FieldKind::Secret, true)];
        let stored = values(&json!({"id": "public", "secret": "abcdefghij", "short": "12345678", "number": 12_345}));
        assert_eq!(
            Value::Object(stored.masked(&fields)),
            json!({"id": "public", "secret": "ab********ij", "short": "********", "number": "********"})
        );
        assert_eq!(format!("{stored:?}"), "CredentialValues(redacted)");
    }

    #[test]
    fn hidden_secret_keeps_the_stored_value() {
        let fields = [field("id", FieldKind::Text, true), field("secret", FieldKind::Secret, true)];
        let stored = values(&json!({"id": "old", "secret": "kept"}));
        let entered = values(&json!({"id": HIDDEN, "secret": HIDDEN, "unknown": 1}));
        let merged = CredentialValues::entered(&fields, &entered, Some(&stored)).unwrap();
        assert_eq!(merged, values(&json!({"id": HIDDEN, "secret": "kept"})));
        assert!(CredentialValues::entered(&fields, &entered, None).is_err(), "there is no stored secret");
    }

    #[test]
    fn missing_long_and_wrong_values_are_rejected() {
        let fields = [field("key", FieldKind::Secret, true), field("flag", FieldKind::Boolean, false)];
        for entered in [
            json!({}),
            json!({"key": ""}),
            json!({"key": 5}),
            json!({"key": "k", "flag": "yes"}),
            json!({"key": "k".repeat(MAX_VALUE + 1)}),
        ] {
            assert!(CredentialValues::entered(&fields, &values(&entered), None).is_err(), "{entered}");
        }
        let entered = CredentialValues::entered(&fields, &values(&json!({"key": "k", "flag": true})), None).unwrap();
        assert_eq!(entered.text("key"), Some("k"));
    }
}
