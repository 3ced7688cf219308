//! Python's `str(value)` and `repr(value)`.

use std::rc::Rc;

use super::{
    decimal::float_repr,
    error::{Result, TemplateError},
    heap::Heap,
    key::DictKey,
    limits::MAX_VALUE_DEPTH,
    text::{PyText, TextBuilder},
    value::{DictView, Entries, Items, PyObject, PyValue},
};

/// Appends `str(value)`.
pub(super) fn write_str(heap: &Heap, out: &mut TextBuilder<'_>, value: &PyValue) -> Result<()> {
    match value {
        PyValue::Text(text) => out.push_str(text),
        PyValue::Undefined(_) => Ok(()),
        other => write_repr(heap, out, other),
    }
}

pub(super) fn to_text(heap: &Heap, value: &PyValue) -> Result<PyText> {
    if let PyValue::Text(text) = value {
        return Ok(text.clone());
    }
    let mut out = heap.builder();
    write_str(heap, &mut out, value)?;
    out.finish()
}

/// Appends `repr(value)`.
pub(super) fn write_repr(heap: &Heap, out: &mut TextBuilder<'_>, value: &PyValue) -> Result<()> {
    Writer { heap, path: Vec::new() }.write(out, value)
}

struct Writer<'h> {
    heap: &'h Heap,
    /// The addresses of the containers around the value, to find those that contain themselves.
    path: Vec<usize>,
}

impl Writer<'_> {
    fn write(&mut self, out: &mut TextBuilder<'_>, value: &PyValue) -> Result<()> {
        match value {
            PyValue::Undefined(_) => out.push_str("Undefined"),
            PyValue::None => out.push_str("None"),
            PyValue::Bool(true) => out.push_str("True"),
            PyValue::Bool(false) => out.push_str("False"),
            PyValue::Int(number) => out.push_str(&number.to_string()),
            PyValue::Float(number) => out.push_str(&float_repr(*number)),
            PyValue::Text(text) if text.markup => {
                out.push_str("Markup(")?;
                write_quoted(out, text)?;
                out.push(')')
            }
            PyValue::Text(text) => write_quoted(out, text),
            PyValue::List(items) => self.items(out, items, ["[", "]"]),
            PyValue::Tuple(items) => {
                let close = if items.len() == 1 { ",)" } else { ")" };
                self.items(out, items, ["(", close])
            }
            PyValue::Dict(entries) => self.dict(out, entries),
            PyValue::Namespace(entries) => {
                out.push_str("<Namespace ")?;
                self.dict(out, entries)?;
                out.push('>')
            }
            PyValue::View(view, entries) => self.view(out, value.type_name(), *view, entries),
            PyValue::Range(range) if range.step == 1 => {
                out.push_str(&format!("range({}, {})", range.start, range.stop))
            }
            PyValue::Range(range) => out.push_str(&format!("range({}, {}, {})", range.start, range.stop, range.step)),
            PyValue::Generator(_) => out.push_str("<generator object>"),
            PyValue::Object(object) => out.push_str(&describe(object)),
        }
    }

    /// Writes the inside of a container; `…` where it contains itself.
    fn within(
        &mut self,
        out: &mut TextBuilder<'_>,
        address: usize,
        [open, close]: [&str; 2],
        inside: impl FnOnce(&mut Self, &mut TextBuilder<'_>) -> Result<()>,
    ) -> Result<()> {
        out.push_str(open)?;
        if self.path.contains(&address) {
            out.push_str("...")?;
        } else {
            if self.path.len() >= MAX_VALUE_DEPTH {
                return Err(TemplateError::TooDeep);
            }
            self.path.push(address);
            inside(self, out)?;
            self.path.pop();
        }
        out.push_str(close)
    }

    fn items(&mut self, out: &mut TextBuilder<'_>, items: &Rc<Items>, brackets: [&str; 2]) -> Result<()> {
        self.within(out, Rc::as_ptr(items).addr(), brackets, |writer, out| {
            for (at, item) in items.items.borrow().iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" })?;
                writer.write(out, item)?;
            }
            Ok(())
        })
    }

    fn dict(&mut self, out: &mut TextBuilder<'_>, entries: &Rc<Entries>) -> Result<()> {
        self.within(out, Rc::as_ptr(entries).addr(), ["{", "}"], |writer, out| {
            for (at, (key, value)) in entries.0.borrow().iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" })?;
                writer.key(out, key)?;
                out.push_str(": ")?;
                writer.write(out, value)?;
            }
            Ok(())
        })
    }

    fn view(&mut self, out: &mut TextBuilder<'_>, name: &str, view: DictView, entries: &Rc<Entries>) -> Result<()> {
        out.push_str(name)?;
        self.within(out, Rc::as_ptr(entries).addr(), ["([", "])"], |writer, out| {
            for (at, (key, value)) in entries.0.borrow().iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" })?;
                match view {
                    DictView::Keys => writer.key(out, key)?,
                    DictView::Values => writer.write(out, value)?,
                    DictView::Items => {
                        out.push('(')?;
                        writer.key(out, key)?;
                        out.push_str(", ")?;
                        writer.write(out, value)?;
                        out.push(')')?;
                    }
                }
            }
            Ok(())
        })
    }

    fn key(&mut self, out: &mut TextBuilder<'_>, key: &DictKey) -> Result<()> {
        let value = self.heap.key_value(key)?;
        self.write(out, &value)
    }
}

fn describe(object: &PyObject) -> String {
    match object {
        PyObject::Global(name) => format!("<class '{name}'>"),
        PyObject::Method { receiver, name } => format!("<built-in method {name} of {} object>", receiver.type_name()),
        PyObject::Macro(object) => format!("<Macro '{}'>", object.body.name),
        PyObject::Loop(object) => format!("<LoopContext {}/{}>", object.index.get() + 1, object.items.len()),
        PyObject::Cycler { .. } => "<Cycler>".to_owned(),
        PyObject::Joiner { .. } => "<Joiner>".to_owned(),
        PyObject::TemplateReference => "<TemplateReference>".to_owned(),
        PyObject::Block(name) => format!("<BlockReference '{name}'>"),
    }
}

/// Appends a text in quotes, with Python's escapes.
pub(super) fn write_quoted(out: &mut TextBuilder<'_>, text: &str) -> Result<()> {
    out.budget().read(text.len())?;
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote)?;
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n")?,
            '\r' => out.push_str("\\r")?,
            '\t' => out.push_str("\\t")?,
            '\\' => out.push_str("\\\\")?,
            _ if character == quote => out.push_str(&format!("\\{quote}"))?,
            ' '..='~' => out.push(character)?,
            _ if is_printable(character) => out.push(character)?,
            _ => out.push_str(&match u32::from(character) {
                code @ ..=0xff => format!("\\x{code:02x}"),
                code @ ..=0xffff => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            })?,
        }
    }
    out.push(quote)
}

/// Python's `str.isprintable` for one character.
pub(super) fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return (' '..='~').contains(&character);
    }
    // After another character, combining ones are not escaped.
    let mut pair = String::from("a");
    pair.push(character);
    pair.escape_debug().nth(1) == Some(character)
}
