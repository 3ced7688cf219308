//! The OpenAPI 3.1 document, from the same descriptors as the other generated code.

use serde_json::{Map, Value, json};

use super::{
    binding::Binding,
    error_bodies,
    error_responses::{self, ErrorResponse},
    method_kinds::{creates, deletes, imports},
    model::Method,
    run,
    schema::{self, Schemas},
    upload,
};

/// The document of an edition. Methods of the Enterprise edition are absent from the other one.
pub(crate) fn document(methods: &[Method], enterprise: bool) -> Value {
    let mut schemas = Schemas::default();
    let mut paths = Map::new();
    for method in methods.iter().filter(|method| enterprise || method.policy.presence != "Enterprise") {
        let Some(http) = &method.http else { continue };
        let operation = operation(method, http, &mut schemas);
        let path = paths.entry(http.path.clone()).or_insert_with(|| json!({}));
        path[http.verb.to_lowercase()] = operation;
    }
    schemas.0.insert("Error".to_owned(), envelope());
    schemas.0.insert("OAuthError".to_owned(), oauth_error());
    schemas.0.insert("ConsoleError".to_owned(), console_error());
    if enterprise {
        schemas.0.insert("InnerError".to_owned(), inner_error());
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Dify OpenAPI",
            "version": "1",
            "description": "Sign in from a terminal (RFC 8628), see and end sessions, list workspaces, and list, describe and run apps.",
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

/// The id of an operation: the method's name and, except on its first path, the path.
fn operation_id(method: &Method, http: &Binding) -> String {
    let name = format!("{}_{}", method.service, method.name);
    if !method.is_additional {
        return name;
    }
    let path = http.path.trim_start_matches("/openapi/v1/");
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    format!("{name}_{}", words.collect::<Vec<_>>().join("_"))
}

fn operation(method: &Method, http: &Binding, schemas: &mut Schemas) -> Value {
    let mut parameters = Vec::new();
    for field in method.input.fields().filter(|field| !method.is_absent(field.name())) {
        let path = http.params.iter().any(|name| name == field.name());
        if path || !http.body {
            let required = path || schema::required(&field);
            let place = if path { "path" } else { "query" };
            let mut schema = schemas.property(&field, false, false);
            if let Some(words) = schema.pointer_mut("/items/enum").and_then(Value::as_array_mut) {
                // Empty items between commas are ignored.
                words.push(json!(""));
            }
            let mut parameter = json!({"name": field.name(), "in": place, "required": required, "schema": schema});
            parameter["example"] = schema::field_example(&field, false);
            if field.is_list() {
                // The items are separated by commas.
                parameter["explode"] = json!(false);
            }
            parameters.push(parameter);
        }
    }
    let mut operation = json!({
        "operationId": operation_id(method, http),
        "tags": [method.service.trim_end_matches("Service")],
        "summary": method.comment,
        "parameters": parameters,
        "responses": responses(method, schemas),
    });
    if method.uploads {
        operation["requestBody"] = upload::request_body();
    } else if http.body {
        let is_elsewhere = |name: &str| method.is_absent(name) || http.params.iter().any(|param| param == name);
        let schema = schemas.body(method, &is_elsewhere);
        let mut example = schema::example(&method.input, false);
        if let Some(members) = example.as_object_mut() {
            members.retain(|name, _| !is_elsewhere(name));
        }
        let mut content = json!({"application/json": {"schema": schema, "example": example}});
        if method.policy.form {
            content["application/x-www-form-urlencoded"] = json!({"schema": schema, "example": example});
        }
        if method.streams {
            content["multipart/form-data"] = upload::run_form();
        }
        operation["requestBody"] = json!({"required": method.input.fields().len() > 0, "content": content});
    }
    let security = match method.policy.credential.as_str() {
        "Bearer" => json!([{"Bearer": []}]),
        // A method that only reads needs no CSRF token.
        "ConsoleSession" if http.verb == "GET" => json!([{"ConsoleSession": []}]),
        "ConsoleSession" if method.policy.approval_grant => {
            json!([{"ConsoleSession": [], "Csrf": []}, {"ApprovalGrant": [], "Csrf": []}])
        }
        "ConsoleSession" => json!([{"ConsoleSession": [], "Csrf": []}]),
        "ApprovalGrant" if http.verb == "GET" => json!([{"ApprovalGrant": []}]),
        "ApprovalGrant" => json!([{"ApprovalGrant": [], "Csrf": []}]),
        "Service" => json!([{"Service": []}]),
        _ => json!([]),
    };
    operation["security"] = security;
    operation
}

fn responses(method: &Method, schemas: &mut Schemas) -> Value {
    let mut responses = Map::new();
    if method.policy.redirects {
        let location = json!({"description": "Where to go on.", "schema": {"type": "string"}, "example": "/device"});
        responses.insert("302".to_owned(), json!({"description": "Done.", "headers": {"Location": location}}));
    } else if creates(method) {
        responses.insert("201".to_owned(), json!({"description": "Created.", "content": success(method, schemas)}));
    } else if deletes(method) {
        responses.insert("204".to_owned(), json!({"description": "Deleted."}));
    } else {
        responses.insert("200".to_owned(), json!({"description": "Done.", "content": success(method, schemas)}));
    }
    if method.name == "ImportApp" {
        let waits = json!({"description": "Waits for a confirmation.", "content": success(method, schemas)});
        responses.insert("202".to_owned(), waits);
    }
    let shape = match method.policy.errors.as_str() {
        "OAuth" => "OAuthError",
        "Console" => "ConsoleError",
        "Inner" => "InnerError",
        _ => "Error",
    };
    for ErrorResponse { status, description, applies_to, examples } in error_responses::TABLE {
        if !applies_to(method) {
            continue;
        }
        let examples: Map<String, Value> = examples
            .iter()
            .filter(|example| (example.applies_to)(method))
            .map(|example| {
                (example.code.to_owned(), json!({"value": error_bodies::body(method, *status, example, shape)}))
            })
            .collect();
        let mut schema = json!({"$ref": format!("#/components/schemas/{shape}")});
        if *status == 400 && imports(method) {
            // The file cannot be imported.
            schema = json!({"anyOf": [schema, schemas.reference(&method.output, true)]});
        }
        let content = json!({"application/json": {"schema": schema, "examples": examples}});
        let headers = error_bodies::headers(method, *status);
        let response = json!({"description": description, "headers": headers, "content": content});
        responses.insert(status.to_string(), response);
    }
    Value::Object(responses)
}

/// The body of success with an example. A run returns events or one body, as the caller requests, except on paths that
/// always return events.
fn success(method: &Method, schemas: &mut Schemas) -> Value {
    let body_field = method.http.as_ref().and_then(|http| method.output.get_field_by_name(&http.response_body));
    if let Some(field) = body_field {
        let schema = schemas.property(&field, true, false);
        return json!({"application/json": {"schema": schema, "example": schema::field_example(&field, true)}});
    }
    if !method.streams {
        let schema = schemas.reference(&method.output, true);
        return json!({"application/json": {"schema": schema, "example": schema::example(&method.output, true)}});
    }
    if method.http.as_ref().is_some_and(|http| http.always_streams) {
        return json!({"text/event-stream": run::event()});
    }
    schemas.0.insert("Run".to_owned(), run::schema());
    json!({
        "application/json": {"schema": {"$ref": "#/components/schemas/Run"}, "examples": run::examples()},
        "text/event-stream": run::event(),
    })
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
