//! The API reference as a page: the OpenAPI document, arranged for a template.

use serde::Serialize;
use serde_json::{Map, Value};

/// The values of the page.
#[derive(Serialize)]
pub(super) struct ApiReference {
    title: String,
    description: String,
    groups: Vec<Group>,
    schemas: Vec<Schema>,
}

/// The operations with one tag.
#[derive(Serialize)]
struct Group {
    name: String,
    operations: Vec<Operation>,
}

#[derive(Serialize)]
struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    description: String,
    /// Sets of credentials, of which one suffices.
    credentials: Vec<String>,
    parameters: Vec<Field>,
    bodies: Vec<Content>,
    responses: Vec<Response>,
}

#[derive(Serialize)]
struct Response {
    status: String,
    description: String,
    contents: Vec<Content>,
}

/// A body in one media type.
#[derive(Serialize)]
struct Content {
    media_type: String,
    schema: TypeName,
    examples: Vec<Example>,
}

#[derive(Serialize)]
struct Example {
    /// Empty for the only example.
    name: String,
    json: String,
}

/// A named schema.
#[derive(Serialize)]
struct Schema {
    name: String,
    description: String,
    fields: Vec<Field>,
}

/// A member of a schema, or a parameter.
#[derive(Serialize)]
struct Field {
    name: String,
    /// `path`, `query` or `header`; empty for a member.
    place: String,
    is_required: bool,
    schema: TypeName,
    description: String,
}

/// A type in words, such as "array of App", and the named schema that it contains.
#[derive(Default, Serialize)]
struct TypeName {
    text: String,
    link: Option<String>,
}

impl ApiReference {
    /// The reference of an OpenAPI 3.1 document.
    pub(super) fn of(document: &Value) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (path, methods) in members(&document["paths"]) {
            for (method, operation) in members(methods) {
                let tag = text(&operation["tags"][0]);
                let operation = Operation::of(method, path, operation);
                match groups.iter_mut().find(|group| group.name == tag) {
                    Some(group) => group.operations.push(operation),
                    None => groups.push(Group { name: tag, operations: vec![operation] }),
                }
            }
        }
        let schemas = members(&document["components"]["schemas"]).map(|(name, schema)| Schema::of(name, schema));
        Self {
            title: text(&document["info"]["title"]),
            description: text(&document["info"]["description"]),
            groups,
            schemas: schemas.collect(),
        }
    }
}

impl Operation {
    fn of(method: &str, path: &str, operation: &Value) -> Self {
        let responses = members(&operation["responses"]).map(|(status, response)| Response {
            status: status.clone(),
            description: text(&response["description"]),
            contents: contents(&response["content"]),
        });
        let credentials = items(&operation["security"]).map(|set| {
            let names: Vec<_> = members(set).map(|(name, _)| name.as_str()).collect();
            names.join(" and ")
        });
        Self {
            id: text(&operation["operationId"]),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text(&operation["summary"]),
            description: text(&operation["description"]),
            credentials: credentials.filter(|names| !names.is_empty()).collect(),
            parameters: items(&operation["parameters"]).map(Field::of_parameter).collect(),
            bodies: contents(&operation["requestBody"]["content"]),
            responses: responses.collect(),
        }
    }
}

impl Schema {
    fn of(name: &str, schema: &Value) -> Self {
        let required: Vec<_> = items(&schema["required"]).filter_map(Value::as_str).collect();
        let fields = members(&schema["properties"]).map(|(name, member)| Field {
            name: name.clone(),
            place: String::new(),
            is_required: required.contains(&name.as_str()),
            schema: type_name(member),
            description: text(&member["description"]),
        });
        Self { name: name.to_owned(), description: text(&schema["description"]), fields: fields.collect() }
    }
}

impl Field {
    fn of_parameter(parameter: &Value) -> Self {
        let description = [&parameter["description"], &parameter["schema"]["description"]];
        Self {
            name: text(&parameter["name"]),
            place: text(&parameter["in"]),
            is_required: parameter["required"] == true,
            schema: type_name(&parameter["schema"]),
            description: description.into_iter().map(text).find(|text| !text.is_empty()).unwrap_or_default(),
        }
    }
}

fn contents(content: &Value) -> Vec<Content> {
    let of = |(media_type, content): (&String, &Value)| {
        let named = members(&content["examples"]).map(|(name, example)| (name.clone(), &example["value"]));
        let single = content.get("example").map(|example| (String::new(), example));
        let examples =
            single.into_iter().chain(named).map(|(name, value)| Example { name, json: format!("{value:#}") });
        Content { media_type: media_type.clone(), schema: type_name(&content["schema"]), examples: examples.collect() }
    };
    members(content).map(of).collect()
}

/// The type of a schema in words.
fn type_name(schema: &Value) -> TypeName {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return TypeName { text: name.to_owned(), link: Some(name.to_owned()) };
    }
    for choice in ["oneOf", "anyOf"] {
        if schema[choice].is_array() {
            let choices: Vec<_> = items(&schema[choice]).map(type_name).collect();
            let words: Vec<_> = choices.iter().map(|choice| choice.text.as_str()).collect();
            return TypeName { text: words.join(" or "), link: choices.into_iter().find_map(|choice| choice.link) };
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> = values.iter().map(Value::to_string).collect();
        return TypeName { text: values.join(" or "), link: None };
    }
    if schema["type"] == "array" {
        let of = type_name(&schema["items"]);
        return TypeName { text: format!("array of {}", of.text), link: of.link };
    }
    let types: Vec<_> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        single => single.as_str().into_iter().collect(),
    };
    let name = if types.is_empty() { "any".to_owned() } else { types.join(" or ") };
    let format = schema["format"].as_str().map(|format| format!(" ({format})")).unwrap_or_default();
    TypeName { text: format!("{name}{format}"), link: None }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::routes::openapi;

    #[test]
    fn types_are_written_in_words() {
        for (schema, words, link) in [
            (json!({"$ref": "#/components/schemas/App"}), "App", Some("App")),
            (json!({"type": "array", "items": {"$ref": "#/components/schemas/App"}}), "array of App", Some("App")),
            (json!({"type": ["string", "null"], "format": "uuid"}), "string or null (uuid)", None),
            (json!({"enum": ["a", "b"]}), "\"a\" or \"b\"", None),
            (json!({"oneOf": [{"type": "null"}, {"$ref": "#/x/Tag"}]}), "null or Tag", Some("Tag")),
            (json!({}), "any", None),
        ] {
            let found = type_name(&schema);
            assert_eq!((found.text.as_str(), found.link.as_deref()), (words, link));
        }
    }

    #[test]
    fn reference_has_every_operation_and_links_to_existing_schemas() {
        for enterprise in [false, true] {
            let document: Value = serde_json::from_str(openapi(enterprise)).unwrap();
            let reference = ApiReference::of(&document);
            let operations: Vec<_> = reference.groups.iter().flat_map(|group| &group.operations).collect();
            let expected: usize = members(&document["paths"]).map(|(_, methods)| members(methods).count()).sum();
            assert_eq!(operations.len(), expected);
            let responses = operations.iter().flat_map(|operation| &operation.responses);
            let links =
                responses.flat_map(|response| &response.contents).filter_map(|content| content.schema.link.as_ref());
            for link in links {
                assert!(reference.schemas.iter().any(|schema| schema.name == *link), "{link}");
            }
        }
    }
}
