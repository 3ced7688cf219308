//! Filters of lists and other sequences.

use std::rc::Rc;

use crate::runtime::builtin::{
    jinja::arguments::{Arguments, flag, integer, size},
    jinja::arithmetic,
    jinja::attributes::{AttributePath, attribute_name, attribute_only},
    jinja::error::{Result, failed},
    jinja::iterate::{self, Cursor, collect},
    jinja::markup::escaped,
    jinja::repr::{to_text, write_str},
    jinja::state::RenderState,
    jinja::value::{DictView, PyValue},
};

pub(super) fn attr(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [name] = arguments.bind("attr", ["name"], 1)?;
    let name = attribute_name(state, &name.unwrap_or(PyValue::None))?;
    attribute_only(state, value, &name)
}

pub(super) fn default(_: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [default, boolean] = arguments.bind("default", ["default_value", "boolean"], 0)?;
    let replaced = value.is_undefined() || (flag(boolean.as_ref()) && !value.is_true());
    match (replaced, default) {
        (false, _) => Ok(value.clone()),
        (true, Some(default)) => Ok(default),
        (true, None) => Ok(PyValue::Undefined("the value is undefined".into())),
    }
}

pub(super) fn first(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("first")?;
    let found = Cursor::new(value)?.next(&state.heap)?;
    Ok(found.unwrap_or_else(|| PyValue::Undefined("No first item, sequence was empty.".into())))
}

pub(super) fn last(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("last")?;
    if matches!(value, PyValue::Generator(_)) {
        return Err(failed("'generator' object is not reversible; use the filter 'list' before"));
    }
    let items = collect(&state.heap, value)?;
    let found = items.len().checked_sub(1).and_then(|at| items.get(at));
    Ok(found.unwrap_or_else(|| PyValue::Undefined("No last item, sequence was empty.".into())))
}

pub(super) fn length(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("length")?;
    let length = iterate::length(&state.heap, value)?;
    Ok(PyValue::Int(i128::try_from(length).unwrap_or(i128::MAX)))
}

pub(super) fn list(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("list")?;
    collect(&state.heap, value).map(PyValue::List)
}

pub(super) fn items(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("items")?;
    let mut pairs = state.heap.list_builder();
    match value {
        PyValue::Undefined(_) => {}
        PyValue::Dict(entries) => {
            let mut cursor = Cursor::new(&PyValue::View(DictView::Items, Rc::clone(entries)))?;
            while let Some(pair) = cursor.next(&state.heap)? {
                pairs.push(pair)?;
            }
        }
        _ => return Err(failed("Can only get item pairs from a mapping.")),
    }
    pairs.into_generator()
}

pub(super) fn join(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let heap = &state.heap;
    let [separator, attribute] = arguments.bind("join", ["d", "attribute"], 0)?;
    let path = match &attribute {
        None | Some(PyValue::None) => None,
        Some(attribute) => Some(AttributePath::new(state, attribute)?),
    };
    let mut separator = match &separator {
        None => heap.builder().finish()?,
        Some(separator) => to_text(heap, separator)?,
    };
    let mut cursor = Cursor::new(value)?;
    let mut values = heap.list_builder();
    let mut markup = separator.markup;
    while let Some(mut item) = cursor.next(heap)? {
        if let Some(path) = &path {
            item = path.get(state, &item, None)?;
        }
        markup |= matches!(&item, PyValue::Text(text) if text.markup);
        values.push(item)?;
    }
    markup &= state.autoescape.get();
    if markup {
        separator = escaped(heap, &PyValue::Text(separator))?;
    }
    let values = values.into_items()?;
    let mut out = heap.builder();
    for (at, item) in values.items.borrow().iter().enumerate() {
        if at > 0 {
            out.push_str(&separator)?;
        }
        if markup { out.push_str(&escaped(heap, item)?)? } else { write_str(heap, &mut out, item)? }
    }
    Ok(PyValue::Text(out.finish()?.marked(markup)))
}

pub(super) fn reverse(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("reverse")?;
    if let PyValue::Text(text) = value {
        state.heap.budget().read(text.len())?;
        let mut out = state.heap.builder();
        for character in text.chars().rev() {
            out.push(character)?;
        }
        return Ok(PyValue::Text(out.finish()?.marked(text.markup)));
    }
    let items = collect(&state.heap, value).map_err(|error| match value {
        PyValue::None | PyValue::Int(_) | PyValue::Float(_) | PyValue::Bool(_) => failed("argument must be iterable"),
        _ => error,
    })?;
    items.items.borrow_mut().reverse();
    let items = PyValue::List(items);
    if matches!(value, PyValue::Generator(_)) {
        return Ok(items);
    }
    let mut reversed = state.heap.list_builder();
    let mut cursor = Cursor::new(&items)?;
    while let Some(item) = cursor.next(&state.heap)? {
        reversed.push(item)?;
    }
    reversed.into_generator()
}

pub(super) fn random(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("random")?;
    let items = collect(&state.heap, value)?;
    let chosen = items.get(state.random_below(items.len()));
    Ok(chosen.unwrap_or_else(|| PyValue::Undefined("No random item, sequence was empty.".into())))
}

pub(super) fn sum(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [attribute, start] = arguments.bind("sum", ["attribute", "start"], 0)?;
    let start = start.unwrap_or(PyValue::Int(0));
    let Some(attribute) = attribute.filter(|attribute| !matches!(attribute, PyValue::None)) else {
        return arithmetic::sum(state, value, start);
    };
    let path = AttributePath::new(state, &attribute)?;
    let mut values = state.heap.list_builder();
    let mut cursor = Cursor::new(value)?;
    while let Some(item) = cursor.next(&state.heap)? {
        values.push(path.get(state, &item, None)?)?;
    }
    arithmetic::sum(state, &values.into_list()?, start)
}

pub(super) fn batch(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let heap = &state.heap;
    let [count, fill] = arguments.bind("batch", ["linecount", "fill_with"], 1)?;
    let count = integer(count.as_ref())?.unwrap_or(1);
    let mut rows = heap.list_builder();
    let mut row = heap.list_builder();
    let mut length: i128 = 0;
    let mut cursor = Cursor::new(value)?;
    while let Some(item) = cursor.next(heap)? {
        if length == count {
            rows.push(std::mem::replace(&mut row, heap.list_builder()).into_list()?)?;
            length = 0;
        }
        row.push(item)?;
        length += 1;
    }
    if length > 0 {
        if let Some(fill) = fill.filter(|fill| !matches!(fill, PyValue::None)) {
            while length < count {
                row.push(fill.clone())?;
                length += 1;
            }
        }
        rows.push(row.into_list()?)?;
    }
    rows.into_generator()
}

pub(super) fn slice(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let heap = &state.heap;
    let [count, fill] = arguments.bind("slice", ["slices", "fill_with"], 1)?;
    if integer(count.as_ref())?.is_some_and(|count| count <= 0) {
        return Err(failed("the number of slices must be positive"));
    }
    let count = size(count.as_ref(), 1)?;
    let fill = fill.filter(|fill| !matches!(fill, PyValue::None));
    let items = collect(heap, value)?;
    let (each, with_extra) = (items.len() / count, items.len() % count);
    let mut slices = heap.list_builder();
    let mut next = 0;
    for at in 0..count {
        heap.budget().steps(1)?;
        let mut slice = heap.list_builder();
        for _ in 0..each + usize::from(at < with_extra) {
            slice.push(items.get(next).unwrap_or(PyValue::None))?;
            next += 1;
        }
        if let (Some(fill), true) = (&fill, at >= with_extra) {
            slice.push(fill.clone())?;
        }
        slices.push(slice.into_list()?)?;
    }
    slices.into_generator()
}
