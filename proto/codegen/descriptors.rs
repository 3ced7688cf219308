//! The descriptors that gRPC clients get: those of the protos without the methods that are served as JSON only.

use std::{collections::HashMap, error::Error};

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Value};

use super::{
    PACKAGE,
    model::{Method, text},
};

/// The field `service` of a file, and the field `method` of a service, in the paths of comments.
const SERVICE: i32 = 6;
const METHOD: i32 = 2;

/// The encoded set without these methods, and without services that have no others. Options and comments are kept.
pub(crate) fn without_json_only(
    encoded: &[u8],
    pool: &DescriptorPool,
    methods: &[Method],
) -> Result<Vec<u8>, Box<dyn Error>> {
    let kind = pool.get_message_by_name("google.protobuf.FileDescriptorSet").ok_or("no descriptor of descriptors")?;
    let mut set = DynamicMessage::decode(kind, encoded)?;
    let is_served = |service: &str, name: &str| {
        methods.iter().any(|method| method.service == service && method.name == name && !method.policy.json_only)
    };
    for file in list(&mut set, "file") {
        let Some(file) = file.as_message_mut() else { continue };
        if text(file, "package") != PACKAGE {
            continue;
        }
        let places = retain_services(file, &is_served);
        if let Some(Value::Message(info)) = file.get_field_by_name_mut("source_code_info") {
            list(info, "location").retain_mut(|location| renumber(location, &places));
        }
    }
    Ok(set.encode_to_vec())
}

/// The new numbers of services and of their methods, by the old ones; those that are gone are absent.
type Places = HashMap<i32, (i32, HashMap<i32, i32>)>;

fn retain_services(file: &mut DynamicMessage, is_served: &dyn Fn(&str, &str) -> bool) -> Places {
    let mut places = Places::new();
    let mut old = 0..;
    list(file, "service").retain_mut(|service| {
        let (Some(number), Some(service)) = (old.next(), service.as_message_mut()) else { return true };
        let name = text(service, "name");
        let (mut methods, mut old) = (HashMap::new(), 0..);
        list(service, "method").retain(|method| {
            let (Some(number), Some(method)) = (old.next(), method.as_message()) else { return true };
            let is_served = is_served(&name, &text(method, "name"));
            if is_served {
                methods.insert(number, i32::try_from(methods.len()).unwrap_or_default());
            }
            is_served
        });
        let is_kept = !methods.is_empty();
        if is_kept {
            places.insert(number, (i32::try_from(places.len()).unwrap_or_default(), methods));
        }
        is_kept
    });
    places
}

/// Changes the path of a comment on a service or a method. Returns whether its place still exists.
fn renumber(location: &mut Value, places: &Places) -> bool {
    let Some(location) = location.as_message_mut() else { return true };
    let path = list(location, "path");
    let numbers: Vec<_> = path.iter().filter_map(Value::as_i32).collect();
    let &[SERVICE, service, ref rest @ ..] = numbers.as_slice() else { return true };
    let Some((new_service, methods)) = places.get(&service) else { return false };
    path[1] = Value::I32(*new_service);
    let &[METHOD, method, ..] = rest else { return true };
    let Some(new_method) = methods.get(&method) else { return false };
    path[3] = Value::I32(*new_method);
    true
}

/// The values of a repeated field.
fn list<'a>(message: &'a mut DynamicMessage, field: &str) -> &'a mut Vec<Value> {
    match message.get_field_by_name_mut(field) {
        Some(Value::List(values)) => values,
        _ => unreachable!("{field} is a repeated field of descriptor.proto"),
    }
}
