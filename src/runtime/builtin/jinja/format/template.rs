//! `str.format` and `str.format_map`.

use super::spec::write_formatted;
use crate::runtime::builtin::{
    jinja::arguments::Arguments,
    jinja::attributes::{python_attribute, python_item},
    jinja::error::{Result, failed},
    jinja::markup::escape,
    jinja::repr::{to_text, write_repr},
    jinja::state::RenderState,
    jinja::text::{PyText, TextBuilder},
    jinja::value::PyValue,
};

/// Deepest nesting of replacement fields, as in Python.
const MAX_NESTING: usize = 2;

/// Where fields find their values.
pub(crate) enum FieldValues {
    Arguments(Arguments),
    Mapping(PyValue),
}

struct Formatter<'s> {
    state: &'s RenderState,
    values: FieldValues,
    markup: bool,
    /// The number of the next field without a name.
    next: usize,
    /// Whether fields have numbers, once one has or has not.
    numbered: Option<bool>,
}

pub(crate) fn format(state: &RenderState, template: &PyText, values: FieldValues) -> Result<PyText> {
    let mut formatter = Formatter { state, values, markup: template.markup, next: 0, numbered: None };
    let mut out = state.heap.builder();
    formatter.write(&mut out, template, MAX_NESTING)?;
    Ok(out.finish()?.marked(template.markup))
}

impl Formatter<'_> {
    fn write(&mut self, out: &mut TextBuilder<'_>, template: &str, nesting: usize) -> Result<()> {
        if nesting == 0 {
            return Err(failed("Max string recursion exceeded"));
        }
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            self.state.heap.budget().read(at)?;
            out.push_str(&rest[..at])?;
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                out.push_str(brace)?;
                rest = after;
            } else if brace == "}" {
                return Err(failed("Single '}' encountered in format string"));
            } else {
                let end = field_end(rest).ok_or_else(|| failed("expected '}' before end of string"))?;
                self.field(out, &rest[..end], nesting)?;
                rest = &rest[end + 1..];
            }
        }
        out.push_str(rest)
    }

    /// Writes `name!conversion:spec`.
    fn field(&mut self, out: &mut TextBuilder<'_>, field: &str, nesting: usize) -> Result<()> {
        let name_end = name_end(field);
        let (name, mut rest) = field.split_at(name_end);
        let mut conversion = None;
        if let Some(after) = rest.strip_prefix('!') {
            conversion = after.chars().next();
            rest = &after[conversion.map_or(0, char::len_utf8)..];
            if !rest.is_empty() && !rest.starts_with(':') {
                return Err(failed("expected ':' after conversion specifier"));
            }
        }
        let value = self.value(name)?;
        let heap = &self.state.heap;
        let mut spec = heap.builder();
        self.write(&mut spec, rest.strip_prefix(':').unwrap_or(""), nesting - 1 + usize::from(!rest.contains('{')))?;
        let value = match conversion {
            None => value,
            Some('s') => PyValue::Text(to_text(heap, &value)?),
            Some('r' | 'a') => {
                let mut text = heap.builder();
                write_repr(heap, &mut text, &value)?;
                PyValue::Text(text.finish()?)
            }
            Some(other) => return Err(failed(format!("Unknown conversion specifier '{other}'"))),
        };
        let is_html = matches!(&value, PyValue::Text(text) if text.markup);
        if self.markup && !is_html {
            let mut plain = heap.builder();
            write_formatted(heap, &mut plain, &value, spec.as_str())?;
            return escape(out, plain.as_str());
        }
        write_formatted(heap, out, &value, spec.as_str())
    }

    /// The value of a name like `0.items[1]`.
    fn value(&mut self, name: &str) -> Result<PyValue> {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (first, mut path) = name.split_at(end);
        let mut value = self.first_value(first)?;
        while !path.is_empty() {
            if let Some(rest) = path.strip_prefix('.') {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                value = python_attribute(self.state, &value, &rest[..end])?;
                path = &rest[end..];
            } else {
                let rest = path.strip_prefix('[').unwrap_or(path);
                let end = rest.find(']').ok_or_else(|| failed("Missing ']' in format string"))?;
                let key = &rest[..end];
                let key = match key.parse() {
                    Ok(index) if !key.starts_with(['-', '+']) => PyValue::Int(index),
                    _ => self.state.heap.text(key)?,
                };
                value = python_item(self.state, &value, &key)?;
                path = &rest[end + 1..];
                if !path.is_empty() && !path.starts_with(['.', '[']) {
                    return Err(failed("Only '.' or '[' may follow ']' in format field specifier"));
                }
            }
        }
        Ok(value)
    }

    fn first_value(&mut self, name: &str) -> Result<PyValue> {
        let arguments = match &self.values {
            FieldValues::Arguments(arguments) => arguments,
            FieldValues::Mapping(mapping) => {
                return python_item(self.state, mapping, &self.state.heap.text(name)?);
            }
        };
        let index = if name.is_empty() {
            self.next += 1;
            Some(self.next - 1)
        } else {
            name.bytes().all(|byte| byte.is_ascii_digit()).then(|| name.parse().unwrap_or(usize::MAX))
        };
        if index.is_some() && *self.numbered.get_or_insert(!name.is_empty()) == name.is_empty() {
            return Err(failed("cannot switch between manual and automatic field numbering"));
        }
        if let Some(index) = index {
            arguments
                .positional
                .get(index)
                .cloned()
                .ok_or_else(|| failed(format!("Replacement index {index} out of range for positional args tuple")))
        } else {
            let found = arguments.named.iter().find(|(other, _)| **other == *name);
            found.map(|(_, value)| value.clone()).ok_or_else(|| failed(format!("KeyError: '{name}'")))
        }
    }
}

/// The place of the brace that closes a field.
fn field_end(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The end of the name of a field. Brackets may contain `!` and `:`.
fn name_end(field: &str) -> usize {
    let mut in_brackets = false;
    for (at, character) in field.char_indices() {
        match character {
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            '!' | ':' if !in_brackets => return at,
            _ => {}
        }
    }
    field.len()
}
