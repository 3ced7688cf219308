//! Keeps what a template makes within bounds.
//!
//! Fuel counts instructions, but one instruction can double a text, and a few dozen of them fill any memory. So after every tag
//! that gives something a name — `set`, `for`, `with`, `macro`, `call` — goes a filter that weighs it. What can be made without
//! giving it a name is bounded by the operators of one tag, and these are counted. Where a tag ends is taken from the text alone;
//! a template in which that could be read in two ways is refused.

use std::{borrow::Cow, cell::Cell};

use minijinja::{Error, ErrorKind, Value, value::ValueKind};

use super::TemplateError;

/// The filter that weighs. TemplateRenderer cannot define filters, so none can put its own in this one's place.
pub(super) const FILTER: &str = "__weigh";
/// The most that one value may weigh.
const VALUE_MAX: usize = 4 << 20;
/// What a value weighs beside its text.
const SLOT: usize = 32;
/// How deep values are weighed.
const DEPTH_MAX: usize = 64;
/// Operators of one tag that may make a text longer.
const JOINS_MAX: usize = 64;
/// Operators of one tag that may make a text many times as long.
const REPEATS_MAX: usize = 4;

thread_local! {
    /// What is left to the rendering on this thread.
    static LEFT: Cell<usize> = const { Cell::new(0) };
    /// How long its template is.
    static LENGTH: Cell<usize> = const { Cell::new(0) };
}

/// A rendering begins on this thread: of a template of this length, and everything it names, says and repeats may weigh this much.
pub(super) fn begin(length: usize, weight: usize) {
    LEFT.set(weight);
    LENGTH.set(length);
}

/// Takes from what is left.
pub(super) fn charge(weight: usize) -> Result<(), Error> {
    match LEFT.get().checked_sub(weight) {
        Some(left) => {
            LEFT.set(left);
            Ok(())
        }
        None => Err(too_large()),
    }
}

/// The filter: weighs a value, and what may be said until the next one is weighed. Says nothing itself.
pub(super) fn weigh(value: Value) -> Result<String, Error> {
    charge(LENGTH.get())?;
    bounded(value)?;
    Ok(String::new())
}

/// The value, if it is not too large.
pub(super) fn bounded(value: Value) -> Result<Value, Error> {
    let mut weight = 0;
    add(&value, &mut weight, 0)?;
    charge(weight)?;
    Ok(value)
}

fn add(value: &Value, weight: &mut usize, depth: usize) -> Result<(), Error> {
    *weight += SLOT + value.as_str().map_or(0, str::len);
    if *weight > VALUE_MAX || depth > DEPTH_MAX {
        return Err(too_large());
    }
    if matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::Iterable) {
        for item in value.try_iter()? {
            add(&item, weight, depth + 1)?;
            if value.kind() == ValueKind::Map {
                add(&value.get_item(&item)?, weight, depth + 1)?;
            }
        }
    }
    Ok(())
}

fn too_large() -> Error {
    Error::new(ErrorKind::InvalidOperation, "the template creates a value that is too large")
}

/// The template with its scales in place.
pub(super) fn prepare(source: &str) -> Result<Cow<'_, str>, TemplateError> {
    let mut out = String::new();
    let mut captured = Vec::new();
    let (mut copied, mut at) = (0, 0);
    while let Some((open, tag)) = next_tag(source, at) {
        let content_from = open + 2;
        let length = source[content_from..].find(tag.close()).ok_or_else(|| ambiguous("a tag is not closed"))?;
        let content = &source[content_from..content_from + length];
        at = content_from + length + 2;
        if content.contains("{%") {
            return Err(ambiguous("a tag is inside another tag"));
        }
        match tag {
            Tag::Comment => {}
            Tag::Expression => within_bounds(content)?,
            Tag::Statement => {
                within_bounds(content)?;
                let statement = content.trim_start_matches(['-', '+']).trim_end_matches(['-', '+']).trim();
                if statement == "raw" {
                    at = end_of_raw(source, at)?;
                    continue;
                }
                let Some(names) = named(statement, &mut captured)? else { continue };
                let trims = if content.ends_with('-') { "-" } else { "" };
                out.push_str(&source[copied..at]);
                out.push_str(&["{{ [", &names, "]|", FILTER, " ", trims, "}}"].concat());
                copied = at;
            }
        }
    }
    if copied == 0 {
        return Ok(source.into());
    }
    out.push_str(&source[copied..]);
    Ok(out.into())
}

#[derive(Clone, Copy)]
enum Tag {
    Statement,
    Expression,
    Comment,
}

impl Tag {
    fn close(self) -> &'static str {
        match self {
            Self::Statement => "%}",
            Self::Expression => "}}",
            Self::Comment => "#}",
        }
    }
}

fn next_tag(source: &str, from: usize) -> Option<(usize, Tag)> {
    let mut at = from;
    loop {
        let open = at + source[at..].find('{')?;
        let tag = match source.as_bytes().get(open + 1) {
            Some(b'%') => Tag::Statement,
            Some(b'{') => Tag::Expression,
            Some(b'#') => Tag::Comment,
            _ => {
                at = open + 1;
                continue;
            }
        };
        return Some((open, tag));
    }
}

/// No more operators than a tag may have; and every quote closed, so that what ends the tag does not stand in a text.
fn within_bounds(content: &str) -> Result<(), TemplateError> {
    let mut quote = None;
    let mut characters = content.chars();
    let (mut joins, mut repeats) = (0, 0);
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(_), '\\') => drop(characters.next()),
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, '~' | '+') => joins += 1,
            (None, '*') => repeats += 1,
            _ => {}
        }
    }
    if quote.is_some() {
        return Err(ambiguous("a quoted text contains the end of its tag"));
    }
    if joins > JOINS_MAX || repeats > REPEATS_MAX {
        return Err(TemplateError::Template("one tag of the template has too many operators".to_owned()));
    }
    Ok(())
}

fn end_of_raw(source: &str, from: usize) -> Result<usize, TemplateError> {
    let open = from + source[from..].find("{%").ok_or_else(|| ambiguous("a raw block is not closed"))?;
    let length = source[open..].find("%}").ok_or_else(|| ambiguous("a raw block is not closed"))?;
    if source[open + 2..open + length].trim_matches(['-', '+']).trim() != "endraw" {
        return Err(ambiguous("a tag is inside a raw block"));
    }
    Ok(open + length + 2)
}

/// What a statement gives a name to, as the items of a list; `None` when it names nothing.
fn named(statement: &str, captured: &mut Vec<String>) -> Result<Option<String>, TemplateError> {
    let (word, rest) =
        statement.split_at(statement.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(statement.len()));
    let names = match word {
        "set" => match assigned(rest).as_slice() {
            [(_, false)] => {
                captured.push(names(rest.split('|').next().unwrap_or_default())?);
                return Ok(None);
            }
            parts => names(&rest[..rest.find('=').filter(|_| !parts.is_empty()).unwrap_or(0)])?,
        },
        "endset" => captured.pop().ok_or_else(|| ambiguous("an endset without its set"))?,
        "for" => names(rest.split(" in ").next().unwrap_or_default())?,
        "with" => names(&parameters(rest))?,
        "macro" => names(&parameters(inside_parentheses(rest)))?,
        "call" if rest.trim_start().starts_with('(') => names(&parameters(inside_parentheses(rest)))?,
        _ => return Ok(None),
    };
    Ok(Some(names))
}

/// The parts between commas that are in no brackets and no text, and whether each assigns something.
fn assigned(text: &str) -> Vec<(&str, bool)> {
    let (mut depth, mut quote, mut from, mut assigns) = (0_usize, None, 0, false);
    let mut parts = Vec::new();
    let mut escape = false;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            _ if escape => escape = false,
            (Some(_), '\\') => escape = true,
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, '=') if depth == 0 => assigns = true,
            // Names before the first `=` belong together: `a, b = 1, 2`.
            (None, ',') if depth == 0 && assigns => {
                parts.push((&text[from..at], assigns));
                (from, assigns) = (at + 1, false);
            }
            _ => {}
        }
    }
    parts.push((&text[from..], assigns));
    parts
}

/// The names of `a, b=1, c=2`.
fn parameters(text: &str) -> String {
    let names = assigned(text).into_iter().map(|(part, _)| part.split('=').next().unwrap_or_default().trim());
    names.filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ")
}

fn inside_parentheses(text: &str) -> &str {
    let Some(open) = text.find('(') else { return "" };
    let mut depth = 0_usize;
    for (at, character) in text[open..].char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth == 1 => return &text[open + 1..open + at],
            ')' => depth -= 1,
            _ => {}
        }
    }
    ""
}

/// Names, and nothing else: what goes into the template must not do anything there.
fn names(text: &str) -> Result<String, TemplateError> {
    let plain =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    let found: Vec<&str> = text
        .split(',')
        .map(|name| name.trim().trim_matches(['(', ')']).trim())
        .filter(|name| !name.is_empty())
        .collect();
    if found.iter().all(|name| plain(name)) { Ok(found.join(", ")) } else { Err(ambiguous("a name is not valid")) }
}

fn ambiguous(what: &str) -> TemplateError {
    TemplateError::Template(format!("the template cannot be read: {what}"))
}
