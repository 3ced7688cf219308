//! The forms of uploads and of runs in the OpenAPI document, which are not declared in the protos.

use serde_json::{Value, json};

use super::schema::Schemas;

pub(crate) fn request_body(schemas: &mut Schemas) -> Value {
    let schema = schemas.add("UploadForm", || {
        json!({
            "type": "object",
            "required": ["file"],
            "properties": {"file": {
                "type": "string",
                "contentMediaType": "application/octet-stream",
                "description": "The file with its name.",
            }},
        })
    });
    json!({
        "required": true,
        "content": {"multipart/form-data": {"schema": schema, "example": {"file": "The text of a file."}}},
    })
}

/// The form of a run.
pub(crate) fn run_form(schemas: &mut Schemas) -> Value {
    let schema = schemas.add("RunForm", || {
        json!({
            "type": "object",
            "description": "Parts `files[name]` are files of the inputs, and parts `files[name][]` those of lists. Other \
                            parts are members, as JSON text.",
        })
    });
    json!({"schema": schema, "example": {"inputs": "{}"}})
}
