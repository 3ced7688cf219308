//! Filters that escape texts for HTML and for URLs.

use crate::runtime::builtin::{
    jinja::arguments::{Arguments, flag},
    jinja::error::{Result, failed},
    jinja::iterate::{Cursor, collect},
    jinja::key::DictKey,
    jinja::markup::{self, escaped},
    jinja::repr::to_text,
    jinja::state::RenderState,
    jinja::text::TextBuilder,
    jinja::value::PyValue,
};

pub(super) fn escape(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("escape")?;
    escaped(&state.heap, value).map(PyValue::Text)
}

pub(super) fn forceescape(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("forceescape")?;
    let text = to_text(&state.heap, value)?.marked(false);
    escaped(&state.heap, &PyValue::Text(text)).map(PyValue::Text)
}

pub(super) fn safe(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("safe")?;
    Ok(PyValue::Text(to_text(&state.heap, value)?.marked(true)))
}

pub(super) fn striptags(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("striptags")?;
    let text = to_text(&state.heap, value)?;
    markup::strip_tags(&state.heap, &text).map(PyValue::Text)
}

pub(super) fn urlencode(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("urlencode")?;
    let mut out = state.heap.builder();
    let pairs = match value {
        PyValue::Text(_) => None,
        PyValue::Dict(entries) => {
            Some(PyValue::View(crate::runtime::builtin::jinja::value::DictView::Items, std::rc::Rc::clone(entries)))
        }
        other => Cursor::new(other).is_ok().then(|| other.clone()),
    };
    let Some(pairs) = pairs else {
        quote(&mut out, &to_text(&state.heap, value)?, false)?;
        return out.finish().map(PyValue::Text);
    };
    let mut cursor = Cursor::new(&pairs)?;
    let mut is_first = true;
    while let Some(pair) = cursor.next(&state.heap)? {
        let pair = collect(&state.heap, &pair)?;
        let (Some(name), Some(value), 2) = (pair.get(0), pair.get(1), pair.len()) else {
            return Err(failed("urlencode needs pairs of a name and a value"));
        };
        out.push_str(if is_first { "" } else { "&" })?;
        is_first = false;
        quote(&mut out, &to_text(&state.heap, &name)?, true)?;
        out.push('=')?;
        quote(&mut out, &to_text(&state.heap, &value)?, true)?;
    }
    out.finish().map(PyValue::Text)
}

/// Appends a text in percent-encoding; in a query, spaces are `+` and slashes are encoded too.
fn quote(out: &mut TextBuilder<'_>, text: &str, in_query: bool) -> Result<()> {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(byte.into())?,
            b'/' if !in_query => out.push('/')?,
            b' ' if in_query => out.push('+')?,
            byte => out.push_str(&format!("%{byte:02X}"))?,
        }
    }
    Ok(())
}

pub(super) fn xmlattr(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [autospace] = arguments.bind("xmlattr", ["autospace"], 0)?;
    let PyValue::Dict(entries) = value else {
        return Err(failed(format!("xmlattr needs a dict, not {}", value.type_name())));
    };
    let leads = autospace.is_none() || flag(autospace.as_ref());
    let mut out = state.heap.builder();
    for at in 0..entries.len() {
        let entry = entries.0.borrow().get_index(at).map(|(key, value)| (key.clone(), value.clone()));
        let Some((key, value)) = entry else { break };
        if matches!(value, PyValue::None | PyValue::Undefined(_)) {
            continue;
        }
        let DictKey::Text(key) = key else { return Err(failed("the names of attributes must be texts")) };
        if key.contains(|character: char| character.is_whitespace() || "/>=".contains(character)) {
            return Err(failed("Invalid character in attribute name"));
        }
        if leads || !out.as_str().is_empty() {
            out.push(' ')?;
        }
        out.push_str(&escaped(&state.heap, &PyValue::Text(key))?)?;
        out.push_str("=\"")?;
        out.push_str(&escaped(&state.heap, &value)?)?;
        out.push('"')?;
    }
    Ok(PyValue::Text(out.finish()?.marked(state.autoescape.get())))
}
