//! White space, and where tags start and end.

/// White space of Python's `str.isspace`.
pub(crate) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

pub(super) fn tag_start(text: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(found) = text[from..].find('{') {
        let at = from + found;
        if text[at + 1..].starts_with(['{', '%', '#']) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// The length of ` raw %}` at the start of the text.
pub(super) fn raw_start(text: &str) -> Option<usize> {
    let after = text.trim_start_matches(is_space).strip_prefix("raw")?.trim_start_matches(is_space);
    let rest = match after.strip_prefix("-%}") {
        Some(rest) => rest.trim_start_matches(is_space),
        None => after.strip_prefix("%}")?,
    };
    Some(text.len() - rest.len())
}

/// The length of the end of a tag, and whether it strips the white space after it.
pub(super) fn tag_end(text: &str) -> Option<(usize, bool)> {
    if text.starts_with("%}") {
        return Some((2, false));
    }
    (text.starts_with("-%}") || text.starts_with("+%}")).then(|| (3, text.starts_with('-')))
}
