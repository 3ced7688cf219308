//! The `input_schema` block: the JSON Schema 2020-12 of a run's body (contract section 6).

use serde_json::{Map, Value, json};

use crate::domain::app::{
    AppMode, Definition,
    form::{FormVariable, VariableKind},
};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a run's body. Without a definition it has no properties.
pub(super) fn input_schema(mode: AppMode, definition: Option<&Definition>) -> Map<String, Value> {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    if let Some(definition) = definition {
        if mode.is_chat() {
            properties.insert("query".to_owned(), json!({"type": "string", "minLength": 1}));
            required.push("query");
        }
        properties.insert("inputs".to_owned(), inputs(&definition.variables()));
        required.push("inputs");
    }
    let schema = [
        ("$schema", DRAFT.into()),
        ("type", "object".into()),
        ("properties", properties.into()),
        ("required", required.into()),
    ];
    schema.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn inputs(variables: &[FormVariable<'_>]) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for variable in variables {
        properties.insert(variable.name.to_owned(), schema(variable));
        if variable.is_required() && !required.contains(&variable.name) {
            required.push(variable.name);
        }
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn schema(variable: &FormVariable<'_>) -> Value {
    let mut schema = match variable.kind {
        VariableKind::TextInput | VariableKind::Paragraph => json!({"type": "string"}),
        VariableKind::Select => json!({"type": "string", "enum": variable.options()}),
        VariableKind::Number => json!({"type": "number"}),
        VariableKind::Checkbox => json!({"type": "boolean"}),
        VariableKind::File => file(),
        VariableKind::FileList => json!({"type": "array", "items": file()}),
        VariableKind::JsonObject => json!({"type": "object"}),
    };
    schema["title"] = variable.label().into();
    if let (VariableKind::TextInput | VariableKind::Paragraph, Some(max)) = (variable.kind, variable.max_length()) {
        schema["maxLength"] = max.into();
    }
    schema
}

/// The schema of a file: by URL, or by the id of an upload.
fn file() -> Value {
    json!({
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "transfer_method": {"type": "string"},
            "url": {"type": "string"},
            "upload_file_id": {"type": "string"},
        },
        "additionalProperties": true,
    })
}
