//! The bodies and headers of the error responses of the OpenAPI document (contract section 5).

use serde_json::{Value, json};

use super::{error_responses::Example, method_kinds::bearer, model::Method};

/// Error codes of RFC 6749 and RFC 8628, whose bodies have no members of this API.
const OAUTH_CODES: [&str; 7] = [
    "authorization_pending",
    "slow_down",
    "expired_token",
    "access_denied",
    "unsupported_client",
    "unsupported_grant_type",
    "invalid_grant",
];

/// The body of an error in the shape that the method uses.
pub(crate) fn body(method: &Method, status: u16, example: &Example, shape: &str) -> Value {
    if OAUTH_CODES.contains(&example.code) {
        let mut body = json!({"error": example.code, "error_description": example.message});
        if example.code == "slow_down" {
            body["interval"] = json!(10);
        }
        return body;
    }
    let member = method.input.fields().next().map(|field| field.name().to_owned()).unwrap_or_default();
    let message = example.message.replace("{max_body_kib}", &method.policy.max_body_kib.to_string());
    let message = message.replace("{member}", &member);
    let mut body = json!({"code": example.code, "message": message, "status": status});
    if status == 429 {
        body["retry_after_ms"] = json!(1000);
    }
    if example.code == "insufficient_scope" {
        body["required_scope"] = json!("apps:run");
    }
    if shape == "ConsoleError" {
        body["error"] = json!(example.code);
    }
    if shape == "InnerError" {
        let word = match example.code {
            "invalid_request" => "invalid_token",
            "bearer_missing" | "bearer_invalid" => "invalid inner api key",
            code => code,
        };
        return json!({"error": word});
    }
    if shape == "OAuthError" {
        body["error"] = json!(match status {
            429 | 503 => "temporarily_unavailable",
            401 => "invalid_client",
            500..=599 => "server_error",
            _ => "invalid_request",
        });
        body["error_description"] = json!(message);
    }
    body
}

/// The headers of a response with this status.
pub(crate) fn headers(method: &Method, status: u16) -> Value {
    let header = |name: &str, description: &str, schema: Value, example: Value| json!({name: {"description": description, "schema": schema, "example": example}});
    match status {
        401 if bearer(method) => {
            let description = "What is wrong with the token (RFC 6750 section 3).";
            header("WWW-Authenticate", description, json!({"type": "string"}), json!("Bearer error=\"invalid_token\""))
        }
        429 | 503 => {
            let schema = json!({"type": "integer", "minimum": 0});
            header("Retry-After", "Seconds to wait before the next attempt.", schema, json!(1))
        }
        _ => json!({}),
    }
}
