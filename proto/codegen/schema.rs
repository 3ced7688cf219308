//! JSON Schema of messages, for the OpenAPI document.

use prost_reflect::{Cardinality, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::{
    model,
    serde_attributes::{omitted, optional},
};

/// Schemas of messages, by name, filled as they are referred to.
#[derive(Default)]
pub struct Schemas(pub Map<String, Value>);

impl Schemas {
    /// A reference to a message's schema, which is made if it is new. In a response every member is present
    /// unless its option leaves it out; in a request what proto3 marks optional may be absent.
    pub fn reference(&mut self, message: &MessageDescriptor, response: bool) -> Value {
        if message.full_name() == "google.protobuf.Timestamp" {
            return json!({"type": "string", "format": "date-time"});
        }
        let name = message.name().to_owned();
        if !self.0.contains_key(&name) {
            self.0.insert(name.clone(), Value::Null);
            let schema = self.object(message, response);
            self.0.insert(name.clone(), schema);
        }
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    fn object(&mut self, message: &MessageDescriptor, response: bool) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in message.fields() {
            let left_out = omitted(&field, message.parent_pool());
            if if response {
                !left_out
            } else {
                !optional(&field) && !field.is_list() && !matches!(field.kind(), Kind::Bool)
            } {
                required.push(field.name().to_owned());
            }
            let nullable = response && optional(&field) && !left_out;
            properties.insert(field.name().to_owned(), self.property(&field, response, nullable));
        }
        let comment = model::comment(&message.parent_file(), message.path());
        let mut schema = json!({"type": "object", "description": comment, "properties": properties});
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schema
    }

    /// The schema of one field.
    pub fn property(&mut self, field: &FieldDescriptor, response: bool, nullable: bool) -> Value {
        let mut schema = match field.kind() {
            Kind::String => json!({"type": "string"}),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 => json!({"type": "integer"}),
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
            }
        }
        let comment = model::comment(&field.parent_message().parent_file(), field.path());
        if !comment.is_empty() && schema.get("$ref").is_none() {
            schema["description"] = json!(comment);
        }
        schema
    }
}
