//! HTML escapes, as `markupsafe` writes and reads them.

use super::{
    error::Result,
    heap::Heap,
    repr::to_text,
    text::{PyText, TextBuilder},
    value::PyValue,
};

/// Appends a text with the characters of HTML escaped.
pub(super) fn escape(out: &mut TextBuilder<'_>, text: &str) -> Result<()> {
    out.budget().read(text.len())?;
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '\'', '"']) {
        out.push_str(&rest[..at])?;
        out.push_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'\'' => "&#39;",
            _ => "&#34;",
        })?;
        rest = &rest[at + 1..];
    }
    out.push_str(rest)
}

/// `str(value)` with its HTML escaped, unless it is marked as HTML already.
pub(super) fn escaped(heap: &Heap, value: &PyValue) -> Result<PyText> {
    let text = to_text(heap, value)?;
    if text.markup {
        return Ok(text);
    }
    let mut out = heap.builder();
    escape(&mut out, &text)?;
    Ok(out.finish()?.marked(true))
}

/// The named entities that are read; all others stay as they are.
const ENTITIES: [(&str, &str); 24] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", "\u{a0}"),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("hellip", "…"),
    ("mdash", "—"),
    ("ndash", "–"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("euro", "€"),
    ("pound", "£"),
    ("yen", "¥"),
    ("cent", "¢"),
    ("middot", "·"),
    ("times", "×"),
];

/// Python's `html.unescape`, for numbers and the entities that texts commonly have.
pub(super) fn unescape(heap: &Heap, text: &str) -> Result<PyText> {
    let mut out = heap.builder();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at])?;
        rest = &rest[at..];
        let end = rest.char_indices().take(12).find(|(_, character)| *character == ';').map(|(end, _)| end);
        let Some((end, character)) = end.and_then(|end| Some((end, entity(&rest[1..end])?))) else {
            out.push('&')?;
            rest = &rest[1..];
            continue;
        };
        out.push_str(&character)?;
        rest = &rest[end + 1..];
    }
    out.push_str(rest)?;
    out.finish()
}

fn entity(name: &str) -> Option<String> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        return char::from_u32(code.ok()?).map(String::from);
    }
    ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, character)| (*character).to_owned())
}

/// `Markup.striptags`: removes comments and tags, and joins white space.
pub(super) fn strip_tags(heap: &Heap, text: &str) -> Result<PyText> {
    let text = without(heap, text, "<!--", "-->")?;
    let text = without(heap, &text, "<", ">")?;
    let mut out = heap.builder();
    for (at, word) in text.split(super::lexer::is_space).filter(|word| !word.is_empty()).enumerate() {
        out.push_str(if at > 0 { " " } else { "" })?;
        out.push_str(word)?;
    }
    let words = out.finish()?;
    unescape(heap, &words)
}

fn without(heap: &Heap, text: &str, open: &str, close: &str) -> Result<PyText> {
    heap.budget().read(text.len())?;
    let mut out = heap.builder();
    let mut rest = text;
    while let Some(start) = rest.find(open) {
        let Some(length) = rest[start..].find(close) else { break };
        out.push_str(&rest[..start])?;
        rest = &rest[start + length + close.len()..];
    }
    out.push_str(rest)?;
    out.finish()
}
