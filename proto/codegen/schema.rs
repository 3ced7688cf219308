//! JSON Schema of messages, for the OpenAPI document.

use prost_reflect::{Cardinality, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::{
    model::{self, Method},
    serde_attributes::{omitted, optional},
};

/// Whether a request must have the field.
pub(crate) fn required(field: &FieldDescriptor) -> bool {
    let is_marked = field_option(field).is_some_and(|option| model::flag(&option, "required"));
    is_marked || !(optional(field) || field.is_list() || matches!(field.kind(), Kind::Bool))
}

fn field_option(field: &FieldDescriptor) -> Option<DynamicMessage> {
    model::option(&field.options(), field.parent_pool(), "field")
}

fn text(field: &FieldDescriptor) -> Value {
    let mut schema = json!({"type": "string"});
    // A comment that begins with `UUID` states that every other text is rejected, the empty text too.
    if model::comment(&field.parent_message().parent_file(), field.path()).starts_with("UUID") {
        schema["format"] = json!("uuid");
    }
    let Some(option) = field_option(field) else { return schema };
    for (member, keyword) in [("min_length", "minLength"), ("max_length", "maxLength")] {
        if let Some(length) = model::number(&option, member) {
            schema[keyword] = json!(length);
        }
    }
    let pattern = model::text(&option, "pattern");
    if !pattern.is_empty() {
        schema["pattern"] = json!(pattern);
    }
    let one_of = model::texts(&option, "one_of");
    if !one_of.is_empty() {
        schema["enum"] = json!(one_of);
    }
    schema
}

fn number(field: &FieldDescriptor) -> Value {
    let mut schema = json!({"type": "integer"});
    if matches!(field.kind(), Kind::Int32) {
        schema["format"] = json!("int32");
        schema["maximum"] = json!(i32::MAX);
    }
    let Some(option) = field_option(field) else { return schema };
    for keyword in ["minimum", "maximum"] {
        if option.has_field_by_name(keyword) {
            schema[keyword] = json!(option.get_field_by_name(keyword).and_then(|value| value.as_i64()));
        }
    }
    schema
}

/// An example of a message in a response or in a request.
pub(crate) fn example(message: &MessageDescriptor, response: bool) -> Value {
    let members = message.fields().filter_map(|field| {
        let is_omitted = omitted(&field, message.parent_pool()) && field.name() != "verification_uri_complete";
        (!is_omitted || !response).then(|| (field.name().to_owned(), field_example(&field, response)))
    });
    Value::Object(members.collect())
}

pub(crate) fn field_example(field: &FieldDescriptor, response: bool) -> Value {
    let given = field_option(field).map(|option| model::text(&option, "example")).filter(|example| !example.is_empty());
    let one = match field.kind() {
        Kind::Bool => json!(true),
        Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 => {
            json!(given.and_then(|example| example.parse().ok()).unwrap_or(900))
        }
        Kind::Enum(_) => json!("account"),
        Kind::Message(inner) => match inner.full_name() {
            "google.protobuf.Timestamp" => json!("2026-11-21T09:30:00Z"),
            "google.protobuf.Struct" => json!({}),
            _ => example(&inner, response),
        },
        _ => match given {
            Some(given) => json!(given),
            None if text(field).get("format").is_some() || field.name().ends_with("id") => json!(EXAMPLE_UUID),
            None if optional(field) => Value::Null,
            None => json!(""),
        },
    };
    if field.is_list() { json!([one]) } else { one }
}

/// The id in examples.
const EXAMPLE_UUID: &str = "0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55";

/// The name of a body: that of the message, after what the path fixes. The body of `/chat:run` is `ChatRunAppRequest`.
fn body_name(method: &Method) -> String {
    let name = method.input.name();
    let Some(http) = &method.http else { return name.to_owned() };
    let fixed: String = http.fixed.iter().map(|(_, value)| model::camel(&value.replace('-', "_"), "")).collect();
    if fixed.is_empty() && http.always_streams { format!("Streaming{name}") } else { fixed + name }
}

/// The schema of an object with any members. Some generators take an object without `additionalProperties` for an empty
/// one.
pub(crate) fn any_object() -> Value {
    json!({"type": "object", "additionalProperties": true})
}

/// A reference to a schema of the document.
pub(crate) fn reference_to(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Schemas of messages by name. A schema is added when it is first referred to.
#[derive(Default)]
pub(crate) struct Schemas(pub(crate) Map<String, Value>);

impl Schemas {
    /// A reference to the schema of a message, which is added if it is new. In a response every member is present
    /// unless its option omits it. In a request the optional fields may be absent.
    pub(crate) fn reference(&mut self, message: &MessageDescriptor, response: bool) -> Value {
        if message.full_name() == "google.protobuf.Timestamp" {
            return json!({"type": "string", "format": "date-time"});
        }
        if message.full_name() == "google.protobuf.Struct" {
            return any_object();
        }
        let name = message.name().to_owned();
        if !self.0.contains_key(&name) {
            self.0.insert(name.clone(), Value::Null);
            let schema = self.object(message, response, &|_| false);
            self.0.insert(name.clone(), schema);
        }
        reference_to(&name)
    }

    /// A reference to a schema that no message declares. It is added if it is new.
    pub(crate) fn add(&mut self, name: &str, schema: impl FnOnce() -> Value) -> Value {
        self.0.entry(name).or_insert_with(schema);
        reference_to(name)
    }

    /// A reference to the schema of a request's body, without the fields that are `elsewhere`.
    pub(crate) fn body(&mut self, method: &Method, elsewhere: &dyn Fn(&str) -> bool) -> Value {
        let schema = self.object(&method.input, false, elsewhere);
        let name = body_name(method);
        let existing = self.0.entry(&name).or_insert_with(|| schema.clone());
        // Paths with other parameters have other members in their bodies.
        if *existing == schema { reference_to(&name) } else { schema }
    }

    fn object(&mut self, message: &MessageDescriptor, response: bool, elsewhere: &dyn Fn(&str) -> bool) -> Value {
        let mut properties = Map::new();
        let mut required_names = Vec::new();
        for field in message.fields().filter(|field| !elsewhere(field.name())) {
            let is_omitted = omitted(&field, message.parent_pool());
            if if response { !is_omitted } else { required(&field) } {
                required_names.push(field.name().to_owned());
            }
            // A member that may be absent from a body may also be null.
            let nullable = if response {
                optional(&field) && !is_omitted
            } else {
                optional(&field) && !required(&field) || field.is_list()
            };
            properties.insert(field.name().to_owned(), self.property(&field, response, nullable));
        }
        let comment = model::comment(&message.parent_file(), message.path());
        let mut schema = json!({"type": "object", "description": comment, "properties": properties});
        if !required_names.is_empty() {
            schema["required"] = json!(required_names);
        }
        let options = model::option(&message.options(), message.parent_pool(), "message");
        if !response && options.is_some_and(|options| model::flag(&options, "strict")) {
            schema["additionalProperties"] = json!(false);
        }
        schema
    }

    pub(crate) fn property(&mut self, field: &FieldDescriptor, response: bool, nullable: bool) -> Value {
        let mut schema = match field.kind() {
            Kind::String => text(field),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 => number(field),
            Kind::Enum(kind) => {
                let names: Vec<String> = kind
                    .values()
                    .filter_map(|value| model::option(&value.options(), field.parent_pool(), "enum_value"))
                    .map(|option| model::text(&option, "json_name"))
                    .collect();
                json!({"type": "string", "enum": names})
            }
            Kind::Message(inner) => self.reference(&inner, response),
            _ => json!({}),
        };
        if field.cardinality() == Cardinality::Repeated {
            schema = json!({"type": "array", "items": schema});
        }
        if nullable {
            if schema.get("$ref").is_some() {
                schema = json!({"anyOf": [schema, {"type": "null"}]});
            } else if let Some(kind) = schema.get("type").cloned() {
                schema["type"] = json!([kind, "null"]);
                if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                    values.push(Value::Null);
                }
            }
        }
        let comment = model::comment(&field.parent_message().parent_file(), field.path());
        if !comment.is_empty() && schema.get("$ref").is_none() {
            schema["description"] = json!(comment);
        }
        schema
    }
}
