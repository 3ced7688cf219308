//! The filter `tojson`. Unlike Jinja2's, it keeps the order of keys and writes characters outside of ASCII as they are.

use std::rc::Rc;

use crate::runtime::builtin::{
    jinja::arguments::{Arguments, size},
    jinja::decimal::float_repr,
    jinja::error::{Result, TemplateError, failed},
    jinja::iterate::Cursor,
    jinja::key::DictKey,
    jinja::limits::MAX_VALUE_DEPTH,
    jinja::state::RenderState,
    jinja::text::TextBuilder,
    jinja::value::{DictView, PyValue},
};

pub(super) fn tojson(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [indent] = arguments.bind("tojson", ["indent"], 0)?;
    let indent = match indent {
        None | Some(PyValue::None) => None,
        Some(PyValue::Text(indent)) => Some(indent.to_string()),
        Some(width) => {
            let width = size(Some(&width), 0)?;
            state.heap.budget().produce(width)?;
            Some(" ".repeat(width))
        }
    };
    let mut out = state.heap.builder();
    JsonWriter { state, indent }.write(&mut out, value, 0)?;
    Ok(PyValue::Text(out.finish()?.marked(true)))
}

struct JsonWriter<'s> {
    state: &'s RenderState,
    indent: Option<String>,
}

impl JsonWriter<'_> {
    fn write(&self, out: &mut TextBuilder<'_>, value: &PyValue, depth: usize) -> Result<()> {
        if depth > MAX_VALUE_DEPTH {
            return Err(TemplateError::TooDeep);
        }
        match value {
            PyValue::None => out.push_str("null"),
            PyValue::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            PyValue::Int(number) => out.push_str(&number.to_string()),
            PyValue::Float(number) => out.push_str(&json_float(*number)),
            PyValue::Text(text) => write_string(out, text),
            PyValue::List(items) | PyValue::Tuple(items) => {
                self.members(out, ["[", "]"], items.len(), depth, |writer, out, at| {
                    writer.write(out, &items.get(at).unwrap_or(PyValue::None), depth + 1)
                })
            }
            PyValue::Dict(entries) => {
                let mut cursor = Cursor::new(&PyValue::View(DictView::Values, Rc::clone(entries)))?;
                self.members(out, ["{", "}"], entries.len(), depth, |writer, out, at| {
                    let key = entries.0.borrow().get_index(at).map(|(key, _)| key.clone());
                    let value = cursor.next(&writer.state.heap)?;
                    let (Some(key), Some(value)) = (key, value) else { return Ok(()) };
                    write_key(out, &key)?;
                    out.push_str(": ")?;
                    writer.write(out, &value, depth + 1)
                })
            }
            other => Err(failed(format!("Object of type {} is not JSON serializable", other.type_name()))),
        }
    }

    fn members(
        &self,
        out: &mut TextBuilder<'_>,
        [open, close]: [&str; 2],
        count: usize,
        depth: usize,
        mut member: impl FnMut(&Self, &mut TextBuilder<'_>, usize) -> Result<()>,
    ) -> Result<()> {
        out.push_str(open)?;
        for at in 0..count {
            match &self.indent {
                None => out.push_str(if at > 0 { ", " } else { "" })?,
                Some(indent) => {
                    out.push_str(if at > 0 { ",\n" } else { "\n" })?;
                    out.repeat(indent, depth + 1)?;
                }
            }
            member(self, out, at)?;
        }
        if let (Some(indent), true) = (&self.indent, count > 0) {
            out.push('\n')?;
            out.repeat(indent, depth)?;
        }
        out.push_str(close)
    }
}

fn json_float(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        float_repr(number)
    }
}

fn write_key(out: &mut TextBuilder<'_>, key: &DictKey) -> Result<()> {
    match key {
        DictKey::None => out.push_str("\"null\""),
        DictKey::Bool(truth) => out.push_str(if *truth { "\"true\"" } else { "\"false\"" }),
        DictKey::Int(number) => out.push_str(&format!("\"{number}\"")),
        DictKey::Float(number) => out.push_str(&format!("\"{}\"", json_float(*number))),
        DictKey::Text(text) => write_string(out, text),
        DictKey::Tuple(_) => Err(failed("keys must be str, int, float, bool or None, not tuple")),
    }
}

/// Appends a string with its escapes; those characters that HTML could misread are escaped too.
fn write_string(out: &mut TextBuilder<'_>, text: &str) -> Result<()> {
    out.push('"')?;
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\"")?,
            '\\' => out.push_str("\\\\")?,
            '\n' => out.push_str("\\n")?,
            '\r' => out.push_str("\\r")?,
            '\t' => out.push_str("\\t")?,
            '\u{8}' => out.push_str("\\b")?,
            '\u{c}' => out.push_str("\\f")?,
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\'' => out.push_str(&format!("\\u{:04x}", u32::from(character)))?,
            other => out.push(other)?,
        }
    }
    out.push('"')
}
