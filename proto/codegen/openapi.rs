//! The OpenAPI 3.1 document, from the same descriptors as everything else.

use serde_json::{Map, Value, json};

use super::{
    model::{Http, Method},
    schema::Schemas,
};

/// The whole document.
pub fn document(methods: &[Method]) -> Value {
    let mut schemas = Schemas::default();
    let mut paths = Map::new();
    for method in methods {
        let Some(http) = &method.http else { continue };
        let operation = operation(method, http, &mut schemas);
        let path = paths.entry(http.path.clone()).or_insert_with(|| json!({}));
        path[http.verb.to_lowercase()] = operation;
    }
    schemas.0.insert("Error".to_owned(), envelope());
    schemas.0.insert("OAuthError".to_owned(), oauth_error());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Dify OpenAPI",
            "version": "1",
            "description": "Sign in from a terminal (RFC 8628), see and end sessions, list workspaces.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas.0,
            "securitySchemes": {
                "Bearer": {"type": "http", "scheme": "bearer", "description": "`dfoa_…` or `dfoe_…`"},
                "ConsoleSession": {"type": "apiKey", "in": "cookie", "name": "access_token"},
                "Csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
                "ApprovalGrant": {"type": "apiKey", "in": "cookie", "name": "device_approval_grant"},
                "Service": {"type": "apiKey", "in": "header", "name": "Enterprise-Api-Secret-Key"},
            },
        },
    })
}

fn operation(method: &Method, http: &Http, schemas: &mut Schemas) -> Value {
    let in_path = http.path_params();
    let mut parameters = Vec::new();
    for field in method.input.fields() {
        let path = in_path.contains(&field.name());
        if path || !http.body {
            let required = path || !super::serde_attributes::optional(&field);
            let place = if path { "path" } else { "query" };
            let schema = schemas.property(&field, false, false);
            parameters.push(json!({"name": field.name(), "in": place, "required": required, "schema": schema}));
        }
    }
    let mut operation = json!({
        "operationId": format!("{}_{}", method.service, method.name),
        "tags": [method.service.trim_end_matches("Service")],
        "summary": method.comment,
        "parameters": parameters,
        "responses": responses(method, schemas),
    });
    if http.body {
        let schema = schemas.reference(&method.input, false);
        let mut content = json!({"application/json": {"schema": schema}});
        if method.policy.form {
            content["application/x-www-form-urlencoded"] = json!({"schema": schema});
        }
        operation["requestBody"] = json!({"required": method.input.fields().len() > 0, "content": content});
    }
    let security = match method.policy.credential.as_str() {
        "Bearer" => json!([{"Bearer": []}]),
        "ConsoleSession" => json!([{"ConsoleSession": [], "Csrf": []}]),
        "ApprovalGrant" => json!([{"ApprovalGrant": [], "Csrf": []}]),
        "Service" => json!([{"Service": []}]),
        _ => json!([]),
    };
    operation["security"] = security;
    operation
}

fn responses(method: &Method, schemas: &mut Schemas) -> Value {
    let policy = &method.policy;
    let mut responses = Map::new();
    let success = schemas.reference(&method.output, true);
    responses.insert(
        "200".to_owned(),
        json!({"description": "Done.", "content": {"application/json": {"schema": success}}}),
    );
    let shape = if policy.errors == "OAuth" { "OAuthError" } else { "Error" };
    let mut error = |status: &str, description: &str| {
        let schema = json!({"$ref": format!("#/components/schemas/{shape}")});
        let content = json!({"application/json": {"schema": schema}});
        responses.insert(status.to_owned(), json!({"description": description, "content": content}));
    };
    error("400", "The request is malformed, or the protocol says no.");
    if policy.credential != "Public" || method.name == "Login" || method.name == "RefreshToken" {
        error("401", "No credential, or one that is not valid.");
    }
    if matches!(policy.credential.as_str(), "Bearer" | "ConsoleSession") {
        error("403", "The credential does not reach this.");
    }
    error("404", "No such thing, or none the caller may know of.");
    error("413", "The body is too large.");
    if method.http.as_ref().is_some_and(|http| http.body) {
        error("409", "Already decided, or being decided.");
        error("415", "The body is of a type this method does not read.");
    }
    error("422", "A member is out of range.");
    error("429", "Too often; see Retry-After.");
    error("500", "Something broke on our side.");
    error("503", "A store is down, or bearers are switched off; see Retry-After.");
    Value::Object(responses)
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
            "details": {"type": "array", "items": {
                "type": "object",
                "required": ["type", "loc", "msg"],
                "properties": {
                    "type": {"type": "string"},
                    "loc": {"type": "array", "items": {"type": "string"}},
                    "msg": {"type": "string"},
                },
            }},
        },
    })
}

fn oauth_error() -> Value {
    json!({
        "type": "object",
        "description": "OAuth's error (RFC 6749 section 5.2); beside it the envelope's members where the failure is not the protocol's.",
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
