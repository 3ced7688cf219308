//! Methods that look for a part of a text.

use crate::runtime::builtin::{
    jinja::arguments::{Arguments, integer},
    jinja::error::{Result, failed},
    jinja::state::RenderState,
    jinja::text::PyText,
    jinja::value::PyValue,
};

pub(super) fn call(state: &RenderState, receiver: &PyText, name: &str, arguments: Arguments) -> Result<PyValue> {
    let [part, start, stop] = arguments.bind(name, ["", "", ""], 1)?;
    let part = part.unwrap_or(PyValue::None);
    let Some((first, text)) = section(receiver, integer(start.as_ref())?, integer(stop.as_ref())?) else {
        return Ok(match name {
            "startswith" | "endswith" => PyValue::Bool(false),
            "count" => PyValue::Int(0),
            "find" | "rfind" => PyValue::Int(-1),
            _ => return Err(failed("substring not found")),
        });
    };
    if let ("startswith" | "endswith", PyValue::Tuple(parts)) = (name, &part) {
        let count = parts.len();
        state.heap.budget().steps(count)?;
        for at in 0..count {
            if matches(name, text, &parts.get(at).unwrap_or(PyValue::None))? {
                return Ok(PyValue::Bool(true));
            }
        }
        return Ok(PyValue::Bool(false));
    }
    if matches!(name, "startswith" | "endswith") {
        return matches(name, text, &part).map(PyValue::Bool);
    }
    let PyValue::Text(part) = &part else {
        return Err(failed(format!("{name}() argument 1 must be str, not {}", part.type_name())));
    };
    let part: &str = part;
    let found = match name {
        "count" if part.is_empty() => return Ok(int(text.chars().count() + 1)),
        "count" => return Ok(int(text.matches(part).count())),
        "find" | "index" => text.find(part),
        _ => text.rfind(part),
    };
    match found {
        Some(byte) => Ok(int(first + text[..byte].chars().count())),
        None if name.ends_with("find") => Ok(PyValue::Int(-1)),
        None => Err(failed("substring not found")),
    }
}

fn int(number: usize) -> PyValue {
    PyValue::Int(i128::try_from(number).unwrap_or(i128::MAX))
}

fn matches(name: &str, text: &str, part: &PyValue) -> Result<bool> {
    let PyValue::Text(part) = part else {
        return Err(failed(format!("{name} first arg must be str or a tuple of str, not {}", part.type_name())));
    };
    Ok(if name == "startswith" { text.starts_with(&**part) } else { text.ends_with(&**part) })
}

/// The number of the first character, and the text, between two positions; `None` when they are out of order.
fn section(text: &str, start: Option<i128>, stop: Option<i128>) -> Option<(usize, &str)> {
    if start.is_none() && stop.is_none() {
        return Some((0, text));
    }
    let length = i128::try_from(text.chars().count()).ok()?;
    let place = |index: i128| if index < 0 { index.saturating_add(length).max(0) } else { index };
    let (start, stop) = (place(start.unwrap_or(0)), place(stop.unwrap_or(length)).min(length));
    if start > stop {
        return None;
    }
    let byte = |index: i128| {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        text.char_indices().nth(index).map_or(text.len(), |(byte, _)| byte)
    };
    Some((usize::try_from(start).ok()?, &text[byte(start)..byte(stop)]))
}
