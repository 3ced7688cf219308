//! The schemas of error bodies in the OpenAPI document.

use serde_json::{Value, json};

use super::schema::{self, Schemas};

const DETAIL: &str = "ErrorDetail";

/// A reference to the schema with this name, which is added if it is new.
pub(crate) fn reference(name: &str, schemas: &mut Schemas) -> Value {
    match name {
        "OAuthError" => schemas.add(name, oauth_error),
        "InnerError" => schemas.add(name, inner_error),
        _ => {
            schemas.add(DETAIL, detail);
            schemas.add(name, if name == "ConsoleError" { console_error } else { envelope })
        }
    }
}

fn envelope() -> Value {
    json!({
        "type": "object",
        "description": "Every error: a code for programs, a message and a hint for people.",
        "required": ["code", "message", "status"],
        "properties": {
            "code": {"type": "string"},
            "message": {"type": "string"},
            "hint": {"type": "string"},
            "status": {"type": "integer"},
            "required_scope": {"type": "string"},
            "retry_after_ms": {"type": "integer"},
            "details": {"type": "array", "items": schema::reference_to(DETAIL)},
        },
    })
}

fn detail() -> Value {
    json!({
        "type": "object",
        "description": "One reason for an error: its kind, its place, and a message for people.",
        "required": ["type", "loc", "msg"],
        "properties": {
            "type": {"type": "string"},
            "loc": {"type": "array", "items": {"type": "string"}},
            "msg": {"type": "string"},
        },
    })
}

/// The envelope of cookie routes.
fn console_error() -> Value {
    let mut error = envelope();
    // Errors before the route is known, such as those of absent routes, have no `error`.
    error["description"] = json!("An error with its code once more, under the name that Dify's own page reads.");
    error["properties"]["error"] = json!({"type": "string"});
    error
}

fn inner_error() -> Value {
    json!({
        "type": "object",
        "description": "An error of a method for Dify Enterprise.",
        "required": ["error"],
        "properties": {"error": {"type": "string"}},
    })
}

fn oauth_error() -> Value {
    json!({
        "type": "object",
        "description": "An OAuth error (RFC 6749 section 5.2). Failures that OAuth has no word for also carry the members of Error.",
        "required": ["error"],
        "properties": {
            "error": {"type": "string"},
            "error_description": {"type": "string"},
            "interval": {"type": "integer"},
            "code": {"type": "string"},
            "message": {"type": "string"},
            "hint": {"type": "string"},
            "status": {"type": "integer"},
            "retry_after_ms": {"type": "integer"},
        },
    })
}
