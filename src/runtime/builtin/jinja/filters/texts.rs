//! Filters of texts.

use crate::runtime::builtin::{
    jinja::arguments::{Arguments, flag, integer, size, text},
    jinja::error::{Result, failed},
    jinja::format::printf,
    jinja::lexer::is_space,
    jinja::markup::escaped,
    jinja::methods::{case, lines, pad, write_replaced},
    jinja::repr::to_text,
    jinja::state::RenderState,
    jinja::text::PyText,
    jinja::value::PyValue,
};

pub(super) fn change_case(state: &RenderState, value: &PyValue, arguments: Arguments, name: &str) -> Result<PyValue> {
    arguments.none(name)?;
    let text = to_text(&state.heap, value)?;
    let mut out = state.heap.builder();
    case(&mut out, name, &text)?;
    Ok(PyValue::Text(out.finish()?.marked(text.markup)))
}

pub(super) fn string(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("string")?;
    to_text(&state.heap, value).map(PyValue::Text)
}

pub(super) fn center(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [width] = arguments.bind("center", ["width"], 0)?;
    let text = to_text(&state.heap, value)?;
    let mut out = state.heap.builder();
    pad(&mut out, "center", &text, (size(width.as_ref(), 80)?, ' '))?;
    Ok(PyValue::Text(out.finish()?.marked(text.markup)))
}

pub(super) fn format(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let format = to_text(&state.heap, value)?;
    let values = match (arguments.positional, arguments.named) {
        (positional, named) if named.is_empty() => state.heap.tuple(positional)?,
        (positional, named) if positional.is_empty() => {
            let entries = state.heap.entries()?;
            for (name, value) in named {
                state.heap.set_text(&entries, &name, value)?;
            }
            PyValue::Dict(entries)
        }
        _ => return Err(failed("can't handle positional and keyword arguments at the same time")),
    };
    printf::format(state, &format, &values).map(PyValue::Text)
}

pub(super) fn indent(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [width, first, blank] = arguments.bind("indent", ["width", "first", "blank"], 0)?;
    let (first, blank) = (flag(first.as_ref()), flag(blank.as_ref()));
    let PyValue::Text(source) = value else {
        return Err(failed(format!(
            "'{}' object cannot be indented; use the filter 'string' before",
            value.type_name()
        )));
    };
    let mut indention = state.heap.builder();
    match width {
        Some(PyValue::Text(text)) if source.markup => {
            indention.push_str(&escaped(&state.heap, &PyValue::Text(text))?)?;
        }
        Some(PyValue::Text(text)) => indention.push_str(&text)?,
        width => indention.pad(' ', size(width.as_ref(), 4)?)?,
    }
    let indention = indention.finish()?;
    let mut out = state.heap.builder();
    if first {
        out.push_str(&indention)?;
    }
    // The filter appends a line end before it splits, so that a line end at the end of the text is kept.
    let mut with_end = state.heap.builder();
    with_end.push_str(source)?;
    with_end.push('\n')?;
    let with_end = with_end.finish()?;
    for (at, (line, _)) in lines(&with_end).enumerate() {
        let line = &with_end[line];
        if at > 0 {
            out.push('\n')?;
            out.push_str(if line.is_empty() && !blank { "" } else { &indention })?;
        }
        out.push_str(line)?;
    }
    Ok(PyValue::Text(out.finish()?.marked(source.markup)))
}

pub(super) fn replace(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [old, new, count] = arguments.bind("replace", ["old", "new", "count"], 2)?;
    let (old, new) = (old.unwrap_or(PyValue::None), new.unwrap_or(PyValue::None));
    let (old, mut new) = (to_text(&state.heap, &old)?, to_text(&state.heap, &new)?);
    let mut source = to_text(&state.heap, value)?;
    let autoescape = state.autoescape.get();
    if autoescape && (old.markup || new.markup && !source.markup) {
        source = escaped(&state.heap, &PyValue::Text(source))?;
    }
    let markup = autoescape && source.markup;
    if markup {
        new = escaped(&state.heap, &PyValue::Text(new))?;
    }
    let mut out = state.heap.builder();
    write_replaced(&mut out, &source, (&old, &new), integer(count.as_ref())?)?;
    // Without automatic escapes, Jinja2 replaces in `str(value)`, which keeps the mark of HTML.
    Ok(PyValue::Text(out.finish()?.marked(markup)))
}

pub(super) fn title(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("title")?;
    let text = to_text(&state.heap, value)?;
    let mut out = state.heap.builder();
    let mut starts_word = true;
    for character in text.chars() {
        let is_start = std::mem::replace(&mut starts_word, false);
        if character == '-' || is_space(character) || "({[<".contains(character) {
            starts_word = true;
            out.push(character)?;
        } else {
            case(&mut out, if is_start { "upper" } else { "lower" }, character.encode_utf8(&mut [0; 4]))?;
        }
    }
    Ok(PyValue::Text(out.finish()?))
}

pub(super) fn trim(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [characters] = arguments.bind("trim", ["chars"], 0)?;
    let characters = text(characters)?;
    let source = to_text(&state.heap, value)?;
    state.heap.budget().read(source.len())?;
    let trimmed = source.trim_matches(|character: char| match &characters {
        Some(characters) => characters.contains(character),
        None => is_space(character),
    });
    Ok(PyValue::Text(PyText::new(state.heap.budget(), trimmed)?.marked(source.markup)))
}

pub(super) fn truncate(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let names = ["length", "killwords", "end", "leeway"];
    let [length, kill_words, end, leeway] = arguments.bind("truncate", names, 0)?;
    let PyValue::Text(source) = value else {
        return Err(failed(format!("object of type '{}' has no len()", value.type_name())));
    };
    let end = text(end)?;
    let end = end.as_deref().unwrap_or("...");
    let length = size(length.as_ref(), 255)?;
    let leeway = integer(leeway.as_ref())?.unwrap_or(5);
    let end_length = end.chars().count();
    if length < end_length || leeway < 0 {
        return Err(failed(format!("expected length >= {end_length} and leeway >= 0")));
    }
    let limit = length.saturating_add(usize::try_from(leeway).unwrap_or(usize::MAX));
    if source.chars_count(state.heap.budget())? <= limit {
        return Ok(value.clone());
    }
    let cut = source.char_indices().nth(length - end_length).map_or(source.len(), |(byte, _)| byte);
    let mut kept = &source[..cut];
    if !flag(kill_words.as_ref()) {
        kept = kept.rsplit_once(' ').map_or(kept, |(before, _)| before);
    }
    let mut out = state.heap.builder();
    out.push_str(kept)?;
    if source.markup {
        crate::runtime::builtin::jinja::markup::escape(&mut out, end)?;
    } else {
        out.push_str(end)?;
    }
    Ok(PyValue::Text(out.finish()?.marked(source.markup)))
}

pub(super) fn wordcount(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("wordcount")?;
    let text = to_text(&state.heap, value)?;
    state.heap.budget().read(text.len())?;
    let is_word = |character: char| character == '_' || character.is_alphanumeric();
    let words = text.split(|character| !is_word(character)).filter(|word| !word.is_empty()).count();
    Ok(PyValue::Int(i128::try_from(words).unwrap_or(i128::MAX)))
}
