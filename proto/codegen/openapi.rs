//! The OpenAPI 3.1 document, from the same descriptors as the other generated code.

use serde_json::{Map, Value, json};

use super::{
    binding::Binding,
    description, error_bodies,
    error_responses::{self, ErrorResponse},
    error_schemas,
    method_kinds::{creates, deletes, imports},
    model::Method,
    run,
    schema::{self, Schemas},
    upload,
};

/// Whom a document is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Clients of the API under `/openapi/v1`.
    Public,
    /// Dify's own parts: the console, and the services behind it.
    Internal,
}

impl Audience {
    fn of(http: &Binding) -> Self {
        if http.path.starts_with("/openapi/v1/") { Self::Public } else { Self::Internal }
    }

    fn info(self) -> Value {
        let (title, description) = match self {
            Self::Public => (
                "Dify OpenAPI",
                "Sign in from a terminal (RFC 8628), see and end sessions, list workspaces, and list, describe and run apps.",
            ),
            Self::Internal => (
                "Internal API",
                "The routes of Dify's console, for browsers and for scripts that set up a server, and those of internal \
                 services. They follow Dify and may change with it; other clients use the API under /openapi/v1.",
            ),
        };
        json!({
            "title": title,
            "version": "1",
            "description": description,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        })
    }
}

/// The document of an audience and an edition. Methods of the Enterprise edition are absent from the other one.
pub(crate) fn document(methods: &[Method], audience: Audience, enterprise: bool) -> Value {
    let mut schemas = Schemas::default();
    let mut paths = Map::new();
    let mut tags = Vec::new();
    for method in methods.iter().filter(|method| enterprise || method.policy.presence != "Enterprise") {
        let Some(http) = method.http.as_ref().filter(|http| Audience::of(http) == audience) else { continue };
        let operation = operation(method, http, &mut schemas);
        let path = paths.entry(http.path.clone()).or_insert_with(|| json!({}));
        path[http.verb.to_lowercase()] = operation;
        let tag = json!({"name": tag(method), "description": method.service_comment});
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    let mut credentials = security_schemes();
    if let Some(credentials) = credentials.as_object_mut() {
        credentials.retain(|name, _| paths.values().any(|path| requires(path, name)));
    }
    json!({
        "openapi": "3.1.0",
        "info": audience.info(),
        "servers": [{"url": "/", "description": "The server of this document."}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas.0,
            "securitySchemes": credentials,
        },
    })
}

fn security_schemes() -> Value {
    json!({
        "Bearer": {"type": "http", "scheme": "bearer", "description": "`dfoa_…` or `dfoe_…`"},
        "ConsoleSession": {"type": "apiKey", "in": "cookie", "name": "access_token"},
        "Csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
        "ApprovalGrant": {"type": "apiKey", "in": "cookie", "name": "device_approval_grant"},
        "Service": {"type": "apiKey", "in": "header", "name": "Enterprise-Api-Secret-Key"},
    })
}

/// Whether an operation of the path requires this scheme.
fn requires(path: &Value, scheme: &str) -> bool {
    let operations = path.as_object().into_iter().flat_map(Map::values);
    let sets = operations.filter_map(|operation| operation["security"].as_array()).flatten();
    sets.filter_map(Value::as_object).any(|set| set.contains_key(scheme))
}

fn tag(method: &Method) -> &str {
    method.service.trim_end_matches("Service")
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
        "tags": [tag(method)],
        "summary": description::summary(method),
        "description": description::description(method),
        "parameters": parameters,
        "responses": responses(method, schemas),
    });
    if method.uploads {
        operation["requestBody"] = upload::request_body(schemas);
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
            content["multipart/form-data"] = upload::run_form(schemas);
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
    let error = error_schemas::reference(shape, schemas);
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
        let mut schema = error.clone();
        if *status == 400 && imports(method) {
            // The file cannot be imported.
            let either = json!({"anyOf": [schema, schemas.reference(&method.output, true)]});
            schema = schemas.add("ImportError", || either);
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
    let event = run::event(schemas);
    if method.http.as_ref().is_some_and(|http| http.always_streams) {
        return json!({"text/event-stream": event});
    }
    json!({
        "application/json": {"schema": run::reference(schemas), "examples": run::examples()},
        "text/event-stream": event,
    })
}
