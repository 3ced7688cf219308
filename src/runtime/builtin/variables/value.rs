//! Values as text, and their size in memory.
//!
//! Dify writes values the way Python does: `True`, `1.0`, and JSON with a blank after commas and colons.

use std::{borrow::Cow, fmt::Write as _, io};

use serde::Serialize;
use serde_json::{Map, Value, ser::Formatter};

use crate::runtime::builtin::bounded_buffer::BoundedBuffer;

/// A text would exceed its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is longer than {limit} bytes")]
pub(crate) struct TextTooLongError {
    /// In bytes.
    pub limit: usize,
}

/// The value as text of at most `limit` bytes: empty for null, empty lists and files, JSON for objects and lists.
pub(crate) fn text(value: &Value, limit: usize) -> Result<Cow<'_, str>, TextTooLongError> {
    let text: Cow<'_, str> = match value {
        Value::Null => "".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => python_float(float).into(),
            _ => number.to_string().into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) if items.is_empty() || items.iter().all(is_file) => "".into(),
        Value::Object(_) if is_file(value) => "".into(),
        Value::Array(_) | Value::Object(_) => return json(value, limit).map(Cow::Owned),
    };
    if text.len() > limit { Err(TextTooLongError { limit }) } else { Ok(text) }
}

/// The value as text for an answer, where files are Markdown links.
pub(crate) fn markdown(value: &Value, limit: usize) -> Result<Cow<'_, str>, TextTooLongError> {
    let files: Vec<&Map<String, Value>> = match value {
        Value::Object(file) if is_file(value) => vec![file],
        Value::Array(items) if !items.is_empty() && items.iter().all(is_file) => {
            items.iter().filter_map(Value::as_object).collect()
        }
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

/// A float like Python's `repr`: shortest digits, with an exponent from `1e16` up and below `1e-4`.
fn python_float(float: f64) -> String {
    if float == 0.0 || (1e-4..1e16).contains(&float.abs()) {
        return format!("{float:?}");
    }
    let text = format!("{float:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(exponent) => format!("{digits}e-{exponent:0>2}"),
            None => format!("{digits}e+{exponent:0>2}"),
        },
        None => text,
    }
}

/// JSON like Python's `json.dumps(…, ensure_ascii=False)`.
fn json(value: &Value, limit: usize) -> Result<String, TextTooLongError> {
    let mut out = BoundedBuffer::new(limit);
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, PythonFormatter);
    // A JSON value always serializes; only the limit can fail.
    value.serialize(&mut serializer).map_err(|_| TextTooLongError { limit })?;
    String::from_utf8(out.into_bytes()).map_err(|_| TextTooLongError { limit })
}

struct PythonFormatter;

impl Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        out.write_all(python_float(value).as_bytes())
    }
}
