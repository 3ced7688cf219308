//! Converts JSON to template values, and writes values as Jinja does in Python.

use std::{collections::HashMap, fmt::Write, sync::Arc};

use minijinja::{
    Error, ErrorKind, Output, State, Value,
    value::{Enumerator, Object, ValueKind},
};
use serde_json::{Map, Value as Json};

use super::weight_guard::charge;

/// Deepest nesting of a value that is written.
const MAX_DEPTH: usize = 64;

/// A JSON object that keeps the order of its members, unlike minijinja's map.
#[derive(Debug)]
struct OrderedObject {
    keys: Vec<Value>,
    values: HashMap<String, Value>,
}

impl Object for OrderedObject {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.values.get(key.as_str()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.keys.clone())
    }
}

pub(super) fn from_members(members: &Map<String, Json>) -> Value {
    let keys = members.keys().map(|key| Value::from(key.as_str())).collect();
    let values = members.iter().map(|(key, value)| (key.clone(), from_json(value))).collect();
    Value::from_object(OrderedObject { keys, values })
}

fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(truth) => Value::from(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => Value::from(number),
            (_, Some(number), _) => Value::from(number),
            (.., number) => Value::from(number.unwrap_or_default()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(from_json).collect(),
        Json::Object(members) => from_members(members),
    }
}

/// Writes the value of `{{ … }}`.
pub(super) fn write(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) => {
            charge(text.len())?;
            out.write_str(text).map_err(Error::from)
        }
        None if value.is_undefined() => Ok(()),
        None => represent(out, value, 0),
    }
}

/// Writes a value like Python's `repr`.
fn represent(out: &mut Output<'_>, value: &Value, depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::new(ErrorKind::InvalidOperation, "the value is nested too deeply"));
    }
    charge(8)?;
    match value.kind() {
        ValueKind::None => out.write_str("None")?,
        ValueKind::Bool => out.write_str(if value.is_true() { "True" } else { "False" })?,
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            charge(text.len())?;
            let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
            out.write_char(quote)?;
            for character in text.chars() {
                match character {
                    '\n' => out.write_str("\\n")?,
                    '\r' => out.write_str("\\r")?,
                    '\t' => out.write_str("\\t")?,
                    '\\' => out.write_str("\\\\")?,
                    _ if character == quote => write!(out, "\\{character}")?,
                    _ => out.write_char(character)?,
                }
            }
            out.write_char(quote)?;
        }
        ValueKind::Seq | ValueKind::Iterable => {
            out.write_char('[')?;
            for (at, item) in value.try_iter()?.enumerate() {
                out.write_str(if at > 0 { ", " } else { "" })?;
                represent(out, &item, depth + 1)?;
            }
            out.write_char(']')?;
        }
        ValueKind::Map => {
            out.write_char('{')?;
            for (at, key) in value.try_iter()?.enumerate() {
                out.write_str(if at > 0 { ", " } else { "" })?;
                represent(out, &key, depth + 1)?;
                out.write_str(": ")?;
                represent(out, &value.get_item(&key)?, depth + 1)?;
            }
            out.write_char('}')?;
        }
        _ => write!(out, "{value}")?,
    }
    Ok(())
}
