//! A field of credentials or of an OAuth client, as manifests of Dify's plugins describe it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The kind of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FieldKind {
    #[serde(rename = "secret-input")]
    Secret,
    #[serde(rename = "text-input")]
    Text,
    #[serde(rename = "select")]
    Select,
    #[serde(rename = "boolean")]
    Boolean,
}

/// A text by language, such as `en_US` and `zh_Hans`.
pub(crate) type LocalizedText = BTreeMap<String, String>;

/// A value that a select accepts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChoice {
    pub value: String,
    #[serde(default)]
    pub label: LocalizedText,
}

/// A field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CredentialField {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: FieldKind,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub default: Option<Value>,
    #[serde(default)]
    pub label: LocalizedText,
    #[serde(default)]
    pub placeholder: LocalizedText,
    #[serde(default)]
    pub help: LocalizedText,
    /// The third party's documentation of the field.
    #[serde(default)]
    pub url: Option<String>,
    /// The values of a select.
    #[serde(default)]
    pub options: Vec<FieldChoice>,
}

impl CredentialField {
    /// An optional field without texts.
    pub fn new(name: &str, kind: FieldKind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            required: false,
            default: None,
            label: LocalizedText::new(),
            placeholder: LocalizedText::new(),
            help: LocalizedText::new(),
            url: None,
            options: Vec::new(),
        }
    }

    /// Whether the field accepts a value; `Err` has the reason why not.
    pub fn check(&self, value: &Value) -> Result<(), &'static str> {
        match (self.kind, value) {
            (FieldKind::Boolean, Value::Bool(_)) | (FieldKind::Secret | FieldKind::Text, Value::String(_)) => Ok(()),
            (FieldKind::Select, Value::String(text)) if self.options.iter().any(|choice| choice.value == *text) => {
                Ok(())
            }
            (FieldKind::Boolean, _) => Err("must be true or false"),
            (FieldKind::Select, _) => Err("is not one of the choices"),
            (FieldKind::Secret | FieldKind::Text, _) => Err("must be text"),
        }
    }
}
