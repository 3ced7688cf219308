//! Number literals, as Jinja2's regular expressions match them.

use crate::runtime::builtin::jinja::token::Token;

/// The number at the start of the text, and its length. `None` when it is an integer of more than 127 bits.
/// A number after a dot is an index and has no fraction.
pub(super) fn read(text: &str, after_dot: bool) -> Option<(usize, Token<'static>)> {
    if !after_dot && let Some(length) = float_length(text) {
        let number = text[..length].replace('_', "").parse().unwrap_or(f64::INFINITY);
        return Some((length, Token::Float(number)));
    }
    let (prefix, radix) = match text.get(..2) {
        Some("0b" | "0B") => (2, 2),
        Some("0o" | "0O") => (2, 8),
        Some("0x" | "0X") => (2, 16),
        _ => (0, 10),
    };
    let digits = if prefix > 0 { radix_digits(&text[2..], radix) } else { 0 };
    if digits > 0 {
        let number = i128::from_str_radix(&text[2..2 + digits].replace('_', ""), radix).ok()?;
        return Some((2 + digits, Token::Int(number)));
    }
    // A zero is followed by zeros only.
    let length = if text.starts_with('0') { run(text, |byte| byte == b'0') } else { decimal_digits(text) };
    Some((length, Token::Int(text[..length].replace('_', "").parse().ok()?)))
}

/// `1.5`, `1e5`, `1_000.5e-3`.
fn float_length(text: &str) -> Option<usize> {
    let whole = decimal_digits(text);
    let mut length = whole;
    if text[length..].starts_with('.') {
        let fraction = decimal_digits(&text[length + 1..]);
        if fraction > 0 {
            length += 1 + fraction;
        }
    }
    if let Some(rest) = text[length..].strip_prefix(['e', 'E']) {
        let sign = usize::from(rest.starts_with(['+', '-']));
        let exponent = decimal_digits(&rest[sign..]);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    (length > whole).then_some(length)
}

fn decimal_digits(text: &str) -> usize {
    run(text, |byte| byte.is_ascii_digit())
}

/// The length of digits that may be separated by single underscores.
fn run(text: &str, is_digit: impl Fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    let digit_at = |at: usize| bytes.get(at).is_some_and(|byte| is_digit(*byte));
    if !digit_at(0) {
        return 0;
    }
    let mut length = 1;
    loop {
        if digit_at(length) {
            length += 1;
        } else if bytes.get(length) == Some(&b'_') && digit_at(length + 1) {
            length += 2;
        } else {
            return length;
        }
    }
}

/// Like [`run`], and the first digit may have an underscore before it.
fn radix_digits(text: &str, radix: u32) -> usize {
    let is_digit = |byte: u8| char::from(byte).is_digit(radix);
    match text.strip_prefix('_') {
        Some(rest) => match run(rest, is_digit) {
            0 => 0,
            length => length + 1,
        },
        None => run(text, is_digit),
    }
}
