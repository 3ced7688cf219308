//! Methods of `str` and `Markup`. Those of `Markup` escape their arguments and return `Markup`.

use super::{case, kinds, pad, search, split};
use crate::runtime::builtin::{
    jinja::arguments::{Arguments, integer, text},
    jinja::error::{Result, failed},
    jinja::format::template::{FieldValues, format},
    jinja::iterate::Cursor,
    jinja::markup::{escaped, strip_tags, unescape},
    jinja::state::RenderState,
    jinja::text::{PyText, TextBuilder},
    jinja::value::PyValue,
};

pub(super) fn call(state: &RenderState, receiver: &PyText, name: &str, arguments: Arguments) -> Result<PyValue> {
    let heap = &state.heap;
    heap.budget().read(receiver.len())?;
    match name {
        "join" => join(state, receiver, arguments),
        "replace" => replace(state, receiver, arguments),
        "format" => format(state, receiver, FieldValues::Arguments(arguments)).map(PyValue::Text),
        "format_map" => {
            let [mapping] = arguments.bind("format_map", [""], 1)?;
            format(state, receiver, FieldValues::Mapping(mapping.unwrap_or(PyValue::None))).map(PyValue::Text)
        }
        "unescape" => unescape(heap, receiver).map(PyValue::Text),
        "striptags" => strip_tags(heap, receiver).map(PyValue::Text),
        "capitalize" | "casefold" | "lower" | "swapcase" | "title" | "upper" => {
            arguments.none(name)?;
            let mut out = heap.builder();
            case::write(&mut out, name, receiver)?;
            finish(out, receiver)
        }
        "center" | "ljust" | "rjust" | "zfill" | "expandtabs" => {
            let mut out = heap.builder();
            pad::write(&mut out, name, receiver, arguments)?;
            finish(out, receiver)
        }
        "count" | "find" | "index" | "rfind" | "rindex" | "startswith" | "endswith" => {
            search::call(state, receiver, name, arguments)
        }
        "split" | "rsplit" | "splitlines" | "partition" | "rpartition" => split::call(state, receiver, name, arguments),
        "strip" | "lstrip" | "rstrip" | "removeprefix" | "removesuffix" => {
            let [part] = arguments.bind(name, [""], usize::from(name.starts_with("remove")))?;
            let mut out = heap.builder();
            out.push_str(split::stripped(receiver, name, text(part)?.as_deref()))?;
            finish(out, receiver)
        }
        name => {
            arguments.none(name)?;
            Ok(PyValue::Bool(kinds::holds(receiver, name)))
        }
    }
}

fn finish(out: TextBuilder<'_>, receiver: &PyText) -> Result<PyValue> {
    Ok(PyValue::Text(out.finish()?.marked(receiver.markup)))
}

fn join(state: &RenderState, separator: &PyText, arguments: Arguments) -> Result<PyValue> {
    let [values] = arguments.bind("join", [""], 1)?;
    let mut cursor = Cursor::new(&values.unwrap_or(PyValue::None)).map_err(|_| failed("can only join an iterable"))?;
    let mut out = state.heap.builder();
    let mut at = 0_usize;
    while let Some(value) = cursor.next(&state.heap)? {
        if at > 0 {
            out.push_str(separator)?;
        }
        match &value {
            value if separator.markup => out.push_str(&escaped(&state.heap, value)?)?,
            PyValue::Text(text) => out.push_str(text)?,
            other => {
                let kind = other.type_name();
                return Err(failed(format!("sequence item {at}: expected str instance, {kind} found")));
            }
        }
        at += 1;
    }
    finish(out, separator)
}

fn replace(state: &RenderState, receiver: &PyText, arguments: Arguments) -> Result<PyValue> {
    let [old, new, count] = arguments.bind("replace", ["", "", ""], 2)?;
    let expected = || failed("replace() argument must be str");
    let old = text(old)?.ok_or_else(expected)?;
    let mut new = text(new)?.ok_or_else(expected)?;
    if receiver.markup {
        new = escaped(&state.heap, &PyValue::Text(new))?;
    }
    let mut out = state.heap.builder();
    write_replaced(&mut out, receiver, (&old, &new), integer(count.as_ref())?)?;
    finish(out, receiver)
}

/// Appends a text in which the first `count` places of a part are replaced; a negative count means all.
pub(crate) fn write_replaced(
    out: &mut TextBuilder<'_>,
    text: &str,
    (old, new): (&str, &str),
    count: Option<i128>,
) -> Result<()> {
    out.budget().read(text.len())?;
    let count =
        count.filter(|count| *count >= 0).map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
    if old.is_empty() {
        let mut left = count;
        for character in text.chars() {
            if left > 0 {
                out.push_str(new)?;
                left -= 1;
            }
            out.push(character)?;
        }
        return if left > 0 { out.push_str(new) } else { Ok(()) };
    }
    let mut rest = text;
    for _ in 0..count {
        let Some(at) = rest.find(old) else { break };
        out.push_str(&rest[..at])?;
        out.push_str(new)?;
        rest = &rest[at + old.len()..];
    }
    out.push_str(rest)
}
