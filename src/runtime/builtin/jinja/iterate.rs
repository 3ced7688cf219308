//! Reads the items of values one after the other.

use std::rc::Rc;

use super::{
    error::{Result, failed},
    heap::Heap,
    text::PyText,
    value::{DictView, Entries, IntRange, Items, PyValue, Stream},
};

/// The position in a value that is iterated.
pub(super) struct Cursor {
    source: Source,
    at: usize,
}

enum Source {
    Empty,
    Items(Rc<Items>),
    Range(Rc<IntRange>),
    /// `at` is a byte.
    Text(PyText),
    Entries(DictView, Rc<Entries>, usize),
    Stream(Rc<Stream>),
}

impl Cursor {
    /// Fails for values that are not iterable.
    pub(super) fn new(value: &PyValue) -> Result<Self> {
        let source = match value {
            PyValue::Undefined(_) => Source::Empty,
            PyValue::List(items) | PyValue::Tuple(items) => Source::Items(Rc::clone(items)),
            PyValue::Range(range) => Source::Range(Rc::clone(range)),
            PyValue::Text(text) => Source::Text(text.clone()),
            PyValue::Dict(entries) => Source::Entries(DictView::Keys, Rc::clone(entries), entries.len()),
            PyValue::View(view, entries) => Source::Entries(*view, Rc::clone(entries), entries.len()),
            PyValue::Generator(stream) => Source::Stream(Rc::clone(stream)),
            other => return Err(failed(format!("'{}' object is not iterable", other.type_name()))),
        };
        Ok(Self { source, at: 0 })
    }

    pub(super) fn next(&mut self, heap: &Heap) -> Result<Option<PyValue>> {
        heap.budget().steps(1)?;
        let at = self.at;
        self.at += 1;
        Ok(match &self.source {
            Source::Empty => None,
            Source::Items(items) => items.get(at),
            Source::Range(range) => range.get(at).map(PyValue::Int),
            Source::Text(text) => {
                let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) else { return Ok(None) };
                self.at = at + character.len_utf8();
                let markup = text.markup;
                let text = PyText::new(heap.budget(), character.encode_utf8(&mut [0; 4]))?;
                Some(PyValue::Text(text.marked(markup)))
            }
            Source::Entries(view, entries, length) => {
                if entries.len() != *length {
                    return Err(failed("dictionary changed size during iteration"));
                }
                let entry = entries.0.borrow().get_index(at).map(|(key, value)| (key.clone(), value.clone()));
                let Some((key, value)) = entry else { return Ok(None) };
                Some(match view {
                    DictView::Keys => heap.key_value(&key)?,
                    DictView::Values => value,
                    DictView::Items => heap.tuple([heap.key_value(&key)?, value])?,
                })
            }
            Source::Stream(stream) => {
                let next = stream.next.get();
                stream.next.set(next + 1);
                stream.items.get(next)
            }
        })
    }
}

/// All items of a value.
pub(super) fn collect(heap: &Heap, value: &PyValue) -> Result<Rc<Items>> {
    let mut cursor = Cursor::new(value)?;
    let mut list = heap.list_builder();
    while let Some(item) = cursor.next(heap)? {
        list.push(item)?;
    }
    list.into_items()
}

/// `len(value)`.
pub(super) fn length(heap: &Heap, value: &PyValue) -> Result<usize> {
    match value {
        PyValue::Undefined(_) => Ok(0),
        PyValue::Text(text) => text.chars_count(heap.budget()),
        PyValue::List(items) | PyValue::Tuple(items) => Ok(items.len()),
        PyValue::Dict(entries) | PyValue::View(_, entries) => Ok(entries.len()),
        PyValue::Range(range) => Ok(range.len),
        PyValue::Object(object) => match &**object {
            super::value::PyObject::Loop(object) => Ok(object.items.len()),
            _ => Err(failed(format!("object of type '{}' has no len()", value.type_name()))),
        },
        other => Err(failed(format!("object of type '{}' has no len()", other.type_name()))),
    }
}
