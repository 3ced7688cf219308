//! The JSON of messages: explicit nulls, `[]` for empty lists, enums as strings, and members that an option omits.

use std::collections::BTreeSet;

use prost_reflect::{Cardinality, DescriptorPool, Kind, MessageDescriptor};

use super::model::{self, Method};

/// Adds derives and field attributes to prost's output.
pub(crate) fn apply(config: &mut prost_build::Config, methods: &[Method], pool: &DescriptorPool) {
    let mut read = BTreeSet::new();
    let mut written = BTreeSet::new();
    for method in methods.iter().filter(|method| method.http.is_some()) {
        if method.http.as_ref().is_some_and(|http| http.body) && !method.uploads {
            reach(&method.input, pool, &mut read);
        }
        reach(&method.output, pool, &mut written);
    }
    for name in &read {
        config.type_attribute(name, "#[derive(serde::Deserialize)]\n#[serde(default)]");
    }
    for name in &read {
        let Some(message) = pool.get_message_by_name(name) else { continue };
        for field in message.fields().filter(prost_reflect::FieldDescriptor::is_list) {
            // Some clients write null for an empty list.
            let path = format!("{name}.{}", field.name());
            config.field_attribute(&path, "#[serde(deserialize_with = \"crate::http::codec::body::null_is_empty\")]");
        }
    }
    for name in &written {
        config.type_attribute(name, "#[derive(serde::Serialize)]");
    }
    for name in &written {
        let Some(message) = pool.get_message_by_name(name) else { continue };
        for field in message.fields() {
            let path = format!("{name}.{}", field.name());
            if grpc_only(&field, pool) {
                config.field_attribute(&path, "#[serde(skip)]");
                if let Kind::Message(inner) = field.kind() {
                    read_from_json(config, &inner, pool);
                }
            }
            if let Kind::Enum(kind) = field.kind() {
                let function = if optional(&field) { "optional" } else { "required" };
                let attribute = format!(
                    "#[serde(serialize_with = \"crate::http::codec::enumeration::{function}::<{}, _>\")]",
                    kind.name()
                );
                config.field_attribute(&path, attribute);
            }
            if omitted(&field, pool) {
                let kind = if field.is_list() { "Vec::is_empty" } else { "Option::is_none" };
                config.field_attribute(&path, format!("#[serde(skip_serializing_if = \"{kind}\")]"));
            }
        }
    }
}

/// Whether the field may be absent on the wire.
pub(crate) fn optional(field: &prost_reflect::FieldDescriptor) -> bool {
    field.supports_presence() && field.cardinality() == Cardinality::Optional
}

/// Whether an absent field is omitted instead of null.
pub(crate) fn omitted(field: &prost_reflect::FieldDescriptor, pool: &DescriptorPool) -> bool {
    model::option(&field.options(), pool, "field").is_some_and(|option| model::flag(&option, "omit_when_absent"))
}

/// Whether JSON does not have the field.
fn grpc_only(field: &prost_reflect::FieldDescriptor, pool: &DescriptorPool) -> bool {
    model::option(&field.options(), pool, "field").is_some_and(|option| model::flag(&option, "grpc_only"))
}

/// Lets the members of `message`, which `rpc::typed_event` joins, be read from the JSON of events. Members that are
/// missing or null have their default.
fn read_from_json(config: &mut prost_build::Config, message: &MessageDescriptor, pool: &DescriptorPool) {
    let mut names = BTreeSet::new();
    for field in message.fields() {
        if let Kind::Message(inner) = field.kind() {
            reach(&inner, pool, &mut names);
        }
    }
    for name in &names {
        config.type_attribute(name, "#[derive(serde::Deserialize)]\n#[serde(default)]");
        let fields =
            pool.get_message_by_name(name).into_iter().flat_map(|message| message.fields().collect::<Vec<_>>());
        for field in fields.filter(|field| !optional(field)) {
            let path = format!("{name}.{}", field.name());
            config.field_attribute(&path, "#[serde(deserialize_with = \"crate::rpc::typed_event::null_is_default\")]");
        }
    }
}

fn reach(message: &MessageDescriptor, pool: &DescriptorPool, names: &mut BTreeSet<String>) {
    if message.package_name() != super::PACKAGE || !names.insert(message.full_name().to_owned()) {
        return;
    }
    for field in message.fields().filter(|field| !grpc_only(field, pool)) {
        if let Kind::Message(inner) = field.kind() {
            reach(&inner, pool, names);
        }
    }
}
