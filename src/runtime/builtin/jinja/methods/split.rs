//! Methods that take a text apart.

use crate::runtime::builtin::{
    jinja::arguments::{Arguments, flag, integer, text},
    jinja::error::{Result, failed},
    jinja::lexer::is_space,
    jinja::state::RenderState,
    jinja::text::PyText,
    jinja::value::PyValue,
};

pub(super) fn call(state: &RenderState, receiver: &PyText, name: &str, arguments: Arguments) -> Result<PyValue> {
    let part = |part: &str| -> Result<PyValue> {
        Ok(PyValue::Text(PyText::new(state.heap.budget(), part)?.marked(receiver.markup)))
    };
    if name.ends_with("partition") {
        let [separator] = arguments.bind(name, [""], 1)?;
        let separator = text(separator)?.filter(|separator| !separator.is_empty());
        let separator = separator.ok_or_else(|| failed("empty separator"))?;
        let found = if name == "partition" { receiver.find(&*separator) } else { receiver.rfind(&*separator) };
        let parts = match found {
            Some(at) => [&receiver[..at], &*separator, &receiver[at + separator.len()..]],
            None if name == "partition" => [&**receiver, "", ""],
            None => ["", "", &**receiver],
        };
        return state.heap.tuple([part(parts[0])?, part(parts[1])?, part(parts[2])?]);
    }
    let mut list = state.heap.list_builder();
    if name == "splitlines" {
        let [keeps] = arguments.bind(name, ["keepends"], 0)?;
        let keeps_ends = flag(keeps.as_ref());
        for (line, end) in lines(receiver) {
            list.push(part(if keeps_ends { &receiver[line.start..end] } else { &receiver[line] })?)?;
        }
        return list.into_list();
    }
    let [separator, max_splits] = arguments.bind(name, ["sep", "maxsplit"], 0)?;
    let max_splits = integer(max_splits.as_ref())?.filter(|count| *count >= 0);
    let max_splits = max_splits.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
    let separator = text(separator)?;
    if separator.as_deref() == Some("") {
        return Err(failed("empty separator"));
    }
    let parts =
        Parts { rest: Some(receiver), separator: separator.as_deref(), left: max_splits, from_end: name == "rsplit" };
    let mut found = Vec::new();
    for text in parts {
        state.heap.reserve_items(1)?;
        found.push(text);
    }
    if name == "rsplit" {
        found.reverse();
    }
    for text in found {
        list.push(part(text)?)?;
    }
    list.into_list()
}

/// The parts between separators, or between white space.
struct Parts<'a> {
    rest: Option<&'a str>,
    separator: Option<&'a str>,
    /// Number of splits that may still be made.
    left: usize,
    from_end: bool,
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let mut rest = self.rest.take()?;
        if self.separator.is_none() {
            rest = if self.from_end { rest.trim_end_matches(is_space) } else { rest.trim_start_matches(is_space) };
            if rest.is_empty() {
                return None;
            }
        }
        if self.left == 0 {
            return Some(rest);
        }
        self.left -= 1;
        let split = match (self.separator, self.from_end) {
            (Some(separator), false) => rest.split_once(separator),
            (Some(separator), true) => rest.rsplit_once(separator).map(|(before, after)| (after, before)),
            (None, false) => rest.split_once(is_space),
            (None, true) => rest.rsplit_once(is_space).map(|(before, after)| (after, before)),
        };
        match split {
            Some((part, after)) => {
                self.rest = Some(after);
                Some(part)
            }
            None => Some(rest),
        }
    }
}

/// `strip` and its like.
pub(super) fn stripped<'a>(text: &'a str, name: &str, part: Option<&str>) -> &'a str {
    let strips = |character: char| part.map_or_else(|| is_space(character), |part| part.contains(character));
    match name {
        "strip" => text.trim_matches(strips),
        "lstrip" => text.trim_start_matches(strips),
        "rstrip" => text.trim_end_matches(strips),
        "removeprefix" => text.strip_prefix(part.unwrap_or_default()).unwrap_or(text),
        _ => text.strip_suffix(part.unwrap_or_default()).unwrap_or(text),
    }
}

/// The lines of `str.splitlines`: each without its end, and where the next one starts.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (std::ops::Range<usize>, usize)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= text.len() {
            return None;
        }
        let from = start;
        let Some((at, end)) = text[from..].char_indices().find(|(_, character)| is_line_end(*character)) else {
            start = text.len();
            return Some((from..start, start));
        };
        let line_end = from + at;
        start = line_end + end.len_utf8();
        if end == '\r' && text[start..].starts_with('\n') {
            start += 1;
        }
        Some((from..line_end, start))
    })
}

fn is_line_end(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}
