//! The catalog: the operations that a client can call (contract section C3), as canonical JSON.

use std::error::Error;

use prost_reflect::FieldDescriptor;
use serde_json::{Map, Value, json};

use super::{
    binding::Binding,
    model::Method,
    operation::{Example, Operation},
    schema::{self, Schemas},
};

/// The deployments, each with a catalog of its own.
pub(crate) const DEPLOYMENTS: [Deployment; 4] = [
    Deployment { file: "catalog_standalone.json", enterprise: false, standalone: true },
    Deployment { file: "catalog_beside_dify.json", enterprise: false, standalone: false },
    Deployment { file: "catalog_standalone_enterprise.json", enterprise: true, standalone: true },
    Deployment { file: "catalog_beside_dify_enterprise.json", enterprise: true, standalone: false },
];

/// The part of a multipart form that has an uploaded file.
const FILE: &str = "file";

pub(crate) struct Deployment {
    pub file: &'static str,
    pub enterprise: bool,
    pub standalone: bool,
}

impl Deployment {
    fn has(&self, method: &Method, operation: &Operation) -> bool {
        let is_present = match method.policy.presence.as_str() {
            "Enterprise" => self.enterprise,
            "Standalone" | "Connections" => self.standalone,
            _ => true,
        };
        is_present && (self.standalone || !operation.standalone_only)
    }
}

/// The catalog of a deployment. Its keys are sorted and it has no spaces, so that every build writes the same bytes.
pub(crate) fn document(methods: &[Method], deployment: &Deployment) -> Result<String, Box<dyn Error>> {
    let mut ops = Map::new();
    for method in methods {
        let Some(http) = &method.http else { continue };
        let Some(operation) = http.operation.as_ref().filter(|operation| deployment.has(method, operation)) else {
            continue;
        };
        let value = entry(method, http, operation)?;
        if ops.insert(operation.id.clone(), value).is_some() {
            return Err(format!("two operations are named {}", operation.id).into());
        }
    }
    Ok(sorted(json!({"ops": ops})).to_string())
}

fn entry(method: &Method, http: &Binding, operation: &Operation) -> Result<Value, Box<dyn Error>> {
    let is_param = |field: &FieldDescriptor| http.params.iter().any(|name| name == field.name());
    // The other fields of an upload's messages are the headers and the content of its one part.
    let is_member = |field: &FieldDescriptor| !http.is_absent(field.name()) && (is_param(field) || !method.uploads);
    let fields: Vec<_> = method.input.fields().filter(is_member).collect();
    let mut schemas = Schemas::default();
    let (mut properties, mut required, mut bind) = (Map::new(), Vec::new(), Map::new());
    for field in &fields {
        let place = match http.body {
            _ if is_param(field) => "path",
            true => "body",
            false => "query",
        };
        bind.insert(field.name().to_owned(), json!(place));
        properties.insert(field.name().to_owned(), schemas.property(field, false, false));
        if is_param(field) || schema::required(field) {
            required.push(field.name());
        }
    }
    if method.uploads {
        bind.insert(FILE.to_owned(), json!("file"));
        properties.insert(FILE.to_owned(), json!({"type": "string", "description": "The path of the file to upload."}));
        required.push(FILE);
    }
    if !schemas.0.is_empty() {
        return Err(format!("{} has a member that is not flat", method.input.name()).into());
    }
    required.sort_unstable();
    let input = json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    });
    let examples = operation.examples.iter().map(|Example { title, input }| json!({"title": title, "input": input}));
    Ok(json!({
        "summary": if operation.summary.is_empty() { &method.comment } else { &operation.summary },
        "method": http.verb,
        "path": http.path,
        "kind": kind(method, operation),
        "input": input,
        "bind": bind,
        "tags": operation.tags,
        "internal": operation.internal,
        "deprecated": operation.deprecated,
        "examples": examples.collect::<Vec<_>>(),
    }))
}

fn kind<'a>(method: &Method, operation: &'a Operation) -> &'a str {
    match operation.kind.as_str() {
        "" if method.streams => "sse",
        "" if method.output.get_field_by_name("data").is_some_and(|field| field.is_list()) => "list",
        "" => "object",
        kind => kind,
    }
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            members.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        value => value,
    }
}
