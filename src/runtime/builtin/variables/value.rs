//! Values as text, and their size in memory.
//!
//! Dify writes values the way Python does: `True`, `1.0`, and JSON with a blank after commas and colons.

use std::{borrow::Cow, fmt::Write as _};

use serde_json::{Map, Value};

use super::python;
use crate::runtime::builtin::secret_masks::SecretMasks;

/// A text would exceed its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is longer than {limit} bytes")]
pub(crate) struct TextTooLongError {
    /// In bytes.
    pub limit: usize,
}

/// The value as text of at most `limit` bytes: empty for null, empty lists and files, JSON for objects and lists of
/// texts. Dify writes other lists with Python's `str`.
pub(crate) fn text(value: &Value, limit: usize) -> Result<Cow<'_, str>, TextTooLongError> {
    let text: Cow<'_, str> = match value {
        Value::Null => "".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => python::float(float).into(),
            _ => number.to_string().into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) if items.is_empty() || items.iter().all(is_file) => "".into(),
        Value::Object(_) if is_file(value) => "".into(),
        Value::Array(items) if !items.iter().all(Value::is_string) => written(python::str(value, limit), limit)?,
        Value::Array(_) | Value::Object(_) => written(python::json(value, limit), limit)?,
    };
    if text.len() > limit { Err(TextTooLongError { limit }) } else { Ok(text) }
}

/// The value as Markdown for an answer: a list has a line for each item, an object is indented JSON, and a file is a
/// link. All others are as in [`text`].
pub(crate) fn markdown(value: &Value, limit: usize) -> Result<Cow<'_, str>, TextTooLongError> {
    let files: Vec<&Map<String, Value>> = match value {
        Value::Object(file) if is_file(value) => vec![file],
        Value::Array(items) if !items.is_empty() && items.iter().all(is_file) => {
            items.iter().filter_map(Value::as_object).collect()
        }
        Value::Array(items) => return list_items(items, limit).map(Cow::Owned),
        Value::Object(_) => return written(python::indented_json(value, limit), limit),
        _ => return text(value, limit),
    };
    let mut out = String::new();
    for file in files {
        let member = |name: &str| file.get(name).and_then(Value::as_str);
        let url = member("url").or_else(|| member("remote_url")).unwrap_or_default();
        let name = member("filename").or_else(|| member("name")).unwrap_or("file");
        let mark = if member("type") == Some("image") { "!" } else { "" };
        let line_break = if out.is_empty() { "" } else { "\n" };
        // Writing to a string cannot fail.
        let _ = write!(out, "{line_break}{mark}[{name}]({url})");
        if out.len() > limit {
            return Err(TextTooLongError { limit });
        }
    }
    Ok(out.into())
}

/// The value like `json.dumps`, without its secrets; empty for a value that is false in Python.
pub(crate) fn ascii_json(value: &Value, masks: &SecretMasks) -> String {
    if is_falsy(value) {
        return String::new();
    }
    let json = python::json(value, usize::MAX).unwrap_or_default();
    let masked = masks.mask_text(&json);
    let mut out = String::with_capacity(masked.len());
    for character in masked.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            // Writing to a string cannot fail.
            character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| _ = write!(out, "\\u{unit:04x}"));
        }
    }
    out
}

fn list_items(items: &[Value], limit: usize) -> Result<String, TextTooLongError> {
    let mut out = String::new();
    for item in items {
        let start = if out.is_empty() { "- " } else { "\n- " };
        let left = limit.checked_sub(out.len() + start.len()).ok_or(TextTooLongError { limit })?;
        out.push_str(start);
        out.push_str(&written(python::str(item, left), limit)?);
    }
    Ok(out)
}

/// `None` means that the text is longer than `limit`.
fn written(text: Option<String>, limit: usize) -> Result<Cow<'static, str>, TextTooLongError> {
    text.map(Cow::Owned).ok_or(TextTooLongError { limit })
}

/// Whether the value is a file in the form of Dify and its clients.
pub(crate) fn is_file(value: &Value) -> bool {
    value.as_object().is_some_and(|object| {
        object.get("transfer_method").is_some_and(Value::is_string) && object.get("type").is_some_and(Value::is_string)
    })
}

/// Whether the value is false in Python.
pub(crate) fn is_falsy(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

/// The approximate memory of a value, in bytes.
pub(crate) fn weight(value: &Value) -> usize {
    const SLOT: usize = size_of::<Value>();
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => SLOT,
        Value::String(text) => SLOT + text.len(),
        Value::Array(items) => items.iter().fold(SLOT, |sum, item| sum.saturating_add(weight(item))),
        Value::Object(members) => {
            members.iter().fold(SLOT, |sum, (name, value)| sum.saturating_add(2 * SLOT + name.len() + weight(value)))
        }
    }
}
