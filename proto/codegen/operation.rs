//! Operations of the catalog, read from the options of bindings.

use std::error::Error;

use prost_reflect::DynamicMessage;
use serde_json::Value;

use super::model::{flag, messages, text, texts};

/// `dify.openapi.v1.Operation`.
#[derive(Clone)]
pub(crate) struct Operation {
    /// Such as `describe.account`.
    pub id: String,
    /// Empty for the comment of the method.
    pub summary: String,
    /// Empty where the response decides it.
    pub kind: String,
    pub tags: Vec<String>,
    pub internal: bool,
    pub deprecated: bool,
    /// Whether only a standalone server can do it.
    pub standalone_only: bool,
    pub examples: Vec<Example>,
}

/// An input with its title.
#[derive(Clone)]
pub(crate) struct Example {
    pub title: String,
    pub input: Value,
}

impl Operation {
    /// The operation of a `binding` option. Fails for an example that is not JSON.
    pub(crate) fn of(binding: &DynamicMessage) -> Result<Option<Self>, Box<dyn Error>> {
        if !binding.has_field_by_name("operation") {
            return Ok(None);
        }
        let Some(value) = binding.get_field_by_name("operation") else { return Ok(None) };
        let Some(message) = value.as_message() else { return Ok(None) };
        let mut examples = Vec::new();
        for example in messages(message, "examples") {
            let input = serde_json::from_str(&text(&example, "input"))?;
            examples.push(Example { title: text(&example, "title"), input });
        }
        Ok(Some(Self {
            id: text(message, "id"),
            summary: text(message, "summary"),
            kind: text(message, "kind"),
            tags: texts(message, "tags"),
            internal: flag(message, "internal"),
            deprecated: flag(message, "deprecated"),
            standalone_only: flag(message, "standalone_only"),
            examples,
        }))
    }
}
