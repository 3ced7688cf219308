//! Quoted texts whose lines continue left of the mapping around them: `PyYAML` reads them, the parser does not.
//!
//! Blanks at the beginning of such a line are not part of the text, so that the line can be indented before it is
//! parsed.

use super::limits::LONGEST;

/// Bytes that are parsed at most before a file is given up.
const MOST_PARSED: usize = 20 * LONGEST;

/// Indents the lines of the quoted text that is the first value after `after`, a byte offset. `parsed` counts the bytes
/// that were parsed. `None` when there is no such text, or the file has too many of them.
pub(super) fn indent(text: &str, after: usize, parsed: &mut usize) -> Option<String> {
    *parsed += text.len();
    if *parsed > MOST_PARSED {
        return None;
    }
    let open = opening_quote(text, after)?;
    let body = open + 1;
    let end = body + closing_quote(&text[body..], text.as_bytes()[open])?;
    let line_start = text[..open].rfind('\n').map_or(0, |at| at + 1);
    let indentation = " ".repeat(text[line_start..open].chars().count() + 1);
    let lines = text[body..end].matches('\n').count();
    if text.len() + lines * indentation.len() > 2 * LONGEST {
        return None;
    }
    let mut repaired = text[..body].to_owned();
    for (number, line) in text[body..end].split_inclusive('\n').enumerate() {
        let is_marker = line.starts_with("---") || line.starts_with("...");
        if number > 0 && !is_marker {
            repaired.push_str(&indentation);
            repaired.push_str(line.trim_start_matches([' ', '\t']));
        } else {
            repaired.push_str(line);
        }
    }
    // A text whose lines are indented already is not what the parser refuses.
    (repaired.len() > end).then(|| repaired + &text[end..])
}

/// The offset of the quotation mark that begins the next value: indicators, tags, anchors and comments may come before.
fn opening_quote(text: &str, after: usize) -> Option<usize> {
    let mut at = after;
    loop {
        let rest = text.get(at..)?;
        match rest.bytes().next()? {
            b'\'' | b'"' => return Some(at),
            b'#' => at += rest.find('\n')?,
            b'!' | b'&' => at += rest.find(char::is_whitespace)?,
            b' ' | b'\t' | b'\r' | b'\n' | b':' | b'-' | b'?' | b',' | b'[' | b'{' => at += 1,
            _ => return None,
        }
    }
}

/// The offset of the quotation mark that ends the text.
fn closing_quote(body: &str, quote: u8) -> Option<usize> {
    let bytes = body.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'\\' && quote == b'"' {
            at += 2;
        } else if bytes[at] != quote {
            at += 1;
        } else if quote == b'\'' && bytes.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return Some(at);
        }
    }
    None
}
