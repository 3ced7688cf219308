//! Attributes and items of values, as `Environment.getattr` and `getitem` find them. There are no attributes with
//! Python internals.

use std::rc::Rc;

use super::{
    error::{Result, TemplateError, failed},
    heap::Heap,
    key::TextKey,
    loops::loop_attribute,
    method_names::method_of,
    repr::{to_text, write_repr},
    slices::{position, text_item},
    state::RenderState,
    value::{PyObject, PyValue},
};

/// Longest name in a message, in characters.
const SHOWN: usize = 60;

/// `value.name`: an attribute, else an item, else undefined.
pub(super) fn attribute(state: &RenderState, value: &PyValue, name: &str) -> Result<PyValue> {
    if let Some(found) = own_attribute(state, value, name)? {
        return Ok(found);
    }
    if let PyValue::Dict(entries) = value {
        state.heap.budget().read(name.len())?;
        if let Some(found) = entries.0.borrow().get(&TextKey(name)) {
            return Ok(found.clone());
        }
    }
    Ok(missing_attribute(value, name))
}

/// `value[index]`: an item, else an attribute, else undefined.
pub(super) fn item(state: &RenderState, value: &PyValue, index: &PyValue) -> Result<PyValue> {
    if let Some(found) = own_item(state, value, index)? {
        return Ok(found);
    }
    if let PyValue::Text(name) = index {
        return Ok(match own_attribute(state, value, name)? {
            Some(found) => found,
            None => missing_attribute(value, name),
        });
    }
    let mut out = state.heap.builder();
    write_repr(&state.heap, &mut out, index)?;
    let shown: String = out.as_str().chars().take(SHOWN).collect();
    Ok(PyValue::Undefined(format!("{} has no element {shown}", object_name(value)).into()))
}

/// What the filter `attr` finds: an attribute only.
pub(super) fn attribute_only(state: &RenderState, value: &PyValue, name: &str) -> Result<PyValue> {
    Ok(match own_attribute(state, value, name)? {
        Some(found) => found,
        None => missing_attribute(value, name),
    })
}

/// Python's `value.name`, for `str.format`.
pub(super) fn python_attribute(state: &RenderState, value: &PyValue, name: &str) -> Result<PyValue> {
    let found = own_attribute(state, value, name)?;
    let shown: String = name.chars().take(SHOWN).collect();
    found.ok_or_else(|| failed(format!("'{}' object has no attribute '{shown}'", value.type_name())))
}

/// Python's `value[index]`, for `str.format`.
pub(super) fn python_item(state: &RenderState, value: &PyValue, index: &PyValue) -> Result<PyValue> {
    let found = own_item(state, value, index)?;
    found.ok_or_else(|| failed(format!("'{}' object has no such item", value.type_name())))
}

fn missing_attribute(value: &PyValue, name: &str) -> PyValue {
    let shown: String = name.chars().take(SHOWN).collect();
    PyValue::Undefined(format!("'{}' has no attribute '{shown}'", object_name(value)).into())
}

fn object_name(value: &PyValue) -> String {
    match value {
        PyValue::None => "None".to_owned(),
        other => format!("{} object", other.type_name()),
    }
}

fn undefined(message: &str) -> TemplateError {
    failed(message)
}

/// A method or another attribute.
fn own_attribute(state: &RenderState, value: &PyValue, name: &str) -> Result<Option<PyValue>> {
    state.heap.budget().steps(1)?;
    if let Some(name) = method_of(value, name) {
        return state.heap.object(PyObject::Method { receiver: value.clone(), name }).map(Some);
    }
    match value {
        PyValue::Undefined(message) => Err(undefined(message)),
        PyValue::Namespace(entries) => Ok(entries.0.borrow().get(&TextKey(name)).cloned()),
        PyValue::Tuple(items) if items.is_group => Ok(match name {
            "grouper" => items.get(0),
            "list" => items.get(1),
            _ => None,
        }),
        PyValue::Range(range) => Ok(match name {
            "start" => Some(PyValue::Int(range.start)),
            "stop" => Some(PyValue::Int(range.stop)),
            "step" => Some(PyValue::Int(range.step)),
            _ => None,
        }),
        PyValue::Int(_) | PyValue::Bool(_) => Ok(match name {
            "real" | "numerator" => super::arithmetic::sign(value, false).ok(),
            "imag" => Some(PyValue::Int(0)),
            "denominator" => Some(PyValue::Int(1)),
            _ => None,
        }),
        PyValue::Float(number) => Ok(match name {
            "real" => Some(PyValue::Float(*number)),
            "imag" => Some(PyValue::Float(0.0)),
            _ => None,
        }),
        PyValue::Object(object) => object_attribute(&state.heap, object, name),
        _ => Ok(None),
    }
}

fn object_attribute(heap: &Heap, object: &PyObject, name: &str) -> Result<Option<PyValue>> {
    match object {
        PyObject::Loop(object) => loop_attribute(heap, object, name),
        PyObject::Cycler { items, at } if name == "current" => Ok(items.get(at.get())),
        PyObject::Macro(object) => match name {
            "name" => heap.text(&object.body.name).map(Some),
            "arguments" => {
                let mut names = heap.list_builder();
                for name in &object.body.parameters {
                    names.push(heap.text(name)?)?;
                }
                names.into_tuple().map(Some)
            }
            "catch_kwargs" => Ok(Some(PyValue::Bool(object.body.uses.kwargs))),
            "catch_varargs" => Ok(Some(PyValue::Bool(object.body.uses.varargs))),
            "caller" => Ok(Some(PyValue::Bool(object.body.uses.caller))),
            _ => Ok(None),
        },
        PyObject::TemplateReference => heap.object(PyObject::Block(name.into())).map(Some),
        _ => Ok(None),
    }
}

/// The item of a container; `None` where Python raises `LookupError` or `TypeError`.
fn own_item(state: &RenderState, value: &PyValue, index: &PyValue) -> Result<Option<PyValue>> {
    let heap = &state.heap;
    heap.budget().steps(1)?;
    Ok(match (value, index) {
        (PyValue::Undefined(message), _) => return Err(undefined(message)),
        (PyValue::Dict(entries), PyValue::Text(name)) => {
            heap.budget().read(name.len())?;
            entries.0.borrow().get(&TextKey(name)).cloned()
        }
        (PyValue::Dict(entries), index) => {
            let Ok(key) = heap.key(index) else { return Ok(None) };
            entries.0.borrow().get(&key).cloned()
        }
        (value, PyValue::Bool(truth)) => return own_item(state, value, &PyValue::Int((*truth).into())),
        (PyValue::List(items) | PyValue::Tuple(items), PyValue::Int(index)) => {
            position(*index, items.len()).and_then(|index| items.get(index))
        }
        (PyValue::Range(range), PyValue::Int(index)) => {
            position(*index, range.len).and_then(|index| range.get(index)).map(PyValue::Int)
        }
        (PyValue::Text(text), PyValue::Int(index)) => text_item(heap, text, *index)?,
        _ => None,
    })
}

/// The path of attributes that filters like `map` take: `address.city`, `0` or a number.
#[derive(Debug)]
pub(super) struct AttributePath(Vec<PyValue>);

impl AttributePath {
    pub(super) fn new(state: &RenderState, attribute: &PyValue) -> Result<Self> {
        let PyValue::Text(path) = attribute else { return Ok(Self(vec![attribute.clone()])) };
        let mut parts = Vec::new();
        for part in path.split('.') {
            state.heap.reserve_items(1)?;
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            parts.push(match part.parse() {
                Ok(index) if is_number => PyValue::Int(index),
                _ => state.heap.text(part)?,
            });
        }
        Ok(Self(parts))
    }

    /// The value at the path; `default` replaces what does not exist.
    pub(super) fn get(&self, state: &RenderState, value: &PyValue, default: Option<&PyValue>) -> Result<PyValue> {
        let mut value = value.clone();
        for part in &self.0 {
            value = item(state, &value, part)?;
            if let (true, Some(default)) = (value.is_undefined(), default) {
                value = default.clone();
            }
        }
        Ok(value)
    }
}

/// The name of an attribute that is no text becomes one.
pub(super) fn attribute_name(state: &RenderState, value: &PyValue) -> Result<Rc<str>> {
    Ok((&*to_text(&state.heap, value)?).into())
}
