//! Converts JSON to the values of templates.

use serde_json::{Map, Value as Json};

use super::{error::Result, heap::Heap, value::PyValue};

pub(super) fn from_json(heap: &Heap, json: &Json) -> Result<PyValue> {
    Ok(match json {
        Json::Null => PyValue::None,
        Json::Bool(truth) => PyValue::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => PyValue::Int(number.into()),
            (None, Some(number)) => PyValue::Int(number.into()),
            (None, None) => PyValue::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => heap.text(text)?,
        Json::Array(items) => {
            let mut list = heap.list_builder();
            for item in items {
                list.push(from_json(heap, item)?)?;
            }
            list.into_list()?
        }
        Json::Object(members) => from_members(heap, members)?,
    })
}

fn from_members(heap: &Heap, members: &Map<String, Json>) -> Result<PyValue> {
    let entries = heap.entries()?;
    for (name, value) in members {
        let value = from_json(heap, value)?;
        heap.set_text(&entries, name, value)?;
    }
    Ok(PyValue::Dict(entries))
}
