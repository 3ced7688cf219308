//! String literals, with Python's escapes.

use crate::runtime::builtin::jinja::error::{Result, syntax, unsupported};

/// The length of the literal at the start of the text, with its quotes. `None` when it is not closed.
pub(super) fn length(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote {
            return Some(at + 1);
        }
    }
    None
}

/// The text that a literal without its quotes stands for.
pub(super) fn unescape(literal: &str, line: u32) -> Result<String> {
    let mut text = String::with_capacity(literal.len());
    let mut characters = literal.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        let Some(escape) = characters.next() else { break };
        match escape {
            '\n' => {}
            '\\' | '\'' | '"' => text.push(escape),
            'a' => text.push('\u{7}'),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            'v' => text.push('\u{b}'),
            '0'..='7' => {
                let rest = characters.as_str();
                let more = rest.bytes().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let digits = format!("{escape}{}", &rest[..more]);
                characters = rest[more..].chars();
                text.extend(u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32));
            }
            'x' | 'u' | 'U' => {
                let count = match escape {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let rest = characters.as_str();
                let number = rest.get(..count).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
                let Some(number) = number.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
                    return Err(syntax(line, format!("'\\{escape}' needs {count} hexadecimal digits")));
                };
                let Some(character) = char::from_u32(number) else {
                    return Err(unsupported(
                        line,
                        "half of a surrogate pair is not a character here; write the character itself",
                    ));
                };
                text.push(character);
                characters = rest[count..].chars();
            }
            'N' => {
                return Err(unsupported(line, "'\\N' is not offered; write the character itself or its '\\u' number"));
            }
            other => text.extend(['\\', other]),
        }
    }
    Ok(text)
}
