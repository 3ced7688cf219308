//! Adds a call of the weigh filter to a template wherever it names a value.
//!
//! Fuel limits the number of instructions, but one instruction can double a text, so that a few dozen of them fill any
//! memory. Each tag that gives a value a name (`set`, `for`, `with`, `macro`, `call`) is therefore followed by a filter
//! that weighs it. Values without a name are limited by the number of operators in a tag. The end of a tag is found in the
//! text alone; a template in which it is ambiguous is rejected.

use std::borrow::Cow;

use super::error::TemplateError;

/// The name of the filter. Templates cannot define filters, so that none can replace it.
pub(super) const WEIGH_FILTER: &str = "__weigh";
/// Operators in one tag that may lengthen a text.
const MAX_JOINS: usize = 64;
/// Operators in one tag that may multiply a text.
const MAX_REPEATS: usize = 4;

/// Returns the template with the filter calls added.
pub(super) fn instrument(source: &str) -> Result<Cow<'_, str>, TemplateError> {
    let mut out = String::new();
    let mut captured = Vec::new();
    let (mut copied, mut at) = (0, 0);
    while let Some((open, tag)) = next_tag(source, at) {
        let content_from = open + 2;
        let length =
            source[content_from..].find(tag.close()).ok_or_else(|| TemplateError::ambiguous("a tag is not closed"))?;
        let content = &source[content_from..content_from + length];
        at = content_from + length + 2;
        if content.contains("{%") {
            return Err(TemplateError::ambiguous("a tag is inside another tag"));
        }
        match tag {
            Tag::Comment => {}
            Tag::Expression => check_tag(content)?,
            Tag::Statement => {
                check_tag(content)?;
                let statement = content.trim_start_matches(['-', '+']).trim_end_matches(['-', '+']).trim();
                if statement == "raw" {
                    at = end_of_raw(source, at)?;
                    continue;
                }
                let Some(names) = defined_names(statement, &mut captured)? else { continue };
                let trims = if content.ends_with('-') { "-" } else { "" };
                out.push_str(&source[copied..at]);
                out.push_str(&["{{ [", &names, "]|", WEIGH_FILTER, " ", trims, "}}"].concat());
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

/// Checks the number of operators, and that every quote is closed, so that the end of the tag is not part of a string.
fn check_tag(content: &str) -> Result<(), TemplateError> {
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
        return Err(TemplateError::ambiguous("a quoted text contains the end of its tag"));
    }
    if joins > MAX_JOINS || repeats > MAX_REPEATS {
        return Err(TemplateError::Template("one tag of the template has too many operators".to_owned()));
    }
    Ok(())
}

fn end_of_raw(source: &str, from: usize) -> Result<usize, TemplateError> {
    let open = from + source[from..].find("{%").ok_or_else(|| TemplateError::ambiguous("a raw block is not closed"))?;
    let length = source[open..].find("%}").ok_or_else(|| TemplateError::ambiguous("a raw block is not closed"))?;
    if source[open + 2..open + length].trim_matches(['-', '+']).trim() != "endraw" {
        return Err(TemplateError::ambiguous("a tag is inside a raw block"));
    }
    Ok(open + length + 2)
}

/// The names that a statement defines, separated by commas; `None` when it defines none. The name of a `set` block is
/// known at its start and defined at its end: `captured` holds the names in between.
fn defined_names(statement: &str, captured: &mut Vec<String>) -> Result<Option<String>, TemplateError> {
    let (word, rest) =
        statement.split_at(statement.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(statement.len()));
    let names = match word {
        "set" => match assignments(rest).as_slice() {
            [(_, false)] => {
                captured.push(names(rest.split('|').next().unwrap_or_default())?);
                return Ok(None);
            }
            parts => names(&rest[..rest.find('=').filter(|_| !parts.is_empty()).unwrap_or(0)])?,
        },
        "endset" => captured.pop().ok_or_else(|| TemplateError::ambiguous("an endset without its set"))?,
        "for" => names(rest.split(" in ").next().unwrap_or_default())?,
        "with" => names(&parameters(rest))?,
        "macro" => names(&parameters(inside_parentheses(rest)))?,
        "call" if rest.trim_start().starts_with('(') => names(&parameters(inside_parentheses(rest)))?,
        _ => return Ok(None),
    };
    Ok(Some(names))
}

/// Splits at the commas outside of brackets and strings; `true` for a part with an assignment.
fn assignments(text: &str) -> Vec<(&str, bool)> {
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
            // Names before the first `=` form one part: `a, b = 1, 2`.
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

/// The names in `a, b=1, c=2`.
fn parameters(text: &str) -> String {
    let names = assignments(text).into_iter().map(|(part, _)| part.split('=').next().unwrap_or_default().trim());
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

/// Checks that the text consists of names only: it becomes part of an expression of the template.
fn names(text: &str) -> Result<String, TemplateError> {
    let plain =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    let found: Vec<&str> = text
        .split(',')
        .map(|name| name.trim().trim_matches(['(', ')']).trim())
        .filter(|name| !name.is_empty())
        .collect();
    if found.iter().all(|name| plain(name)) {
        Ok(found.join(", "))
    } else {
        Err(TemplateError::ambiguous("a name is not valid"))
    }
}
