//! The values of plain scalars: the resolvers and constructors of `PyYAML`'s `SafeLoader` (YAML 1.1).
//!
//! So `yes` is a boolean, `017` is 15, `1:30` is 90 and `1e3` is text: a number with an exponent needs a point and a
//! sign.

use serde_json::{Number, Value};

/// The value of a plain scalar without a tag. `None`: a number that JSON does not have, such as `.inf`.
pub(super) fn resolve(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        _ => {}
    }
    if let Some(value) = boolean(text) {
        return Some(value.into());
    }
    let starts_number = text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.'));
    if !starts_number {
        return Some(text.into());
    }
    if is_float(text) {
        return float(text).map(Value::Number);
    }
    if is_integer(text) {
        // `0x_` looks like a number and is none.
        return Some(integer(text).map_or_else(|| text.into(), Value::Number));
    }
    Some(text.into())
}

/// `yes`, `no`, `true`, `false`, `on` and `off` in lower case, upper case or with a capital.
fn boolean(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    let capital =
        |word: &str| text == word || text[1..] == word[1..] || !text.contains(|c: char| c.is_ascii_lowercase());
    let value = match lower.as_str() {
        "yes" | "true" | "on" => true,
        "no" | "false" | "off" => false,
        _ => return None,
    };
    capital(&lower).then_some(value)
}

/// The boolean of a scalar with the tag `!!bool`.
pub(super) fn tagged_boolean(text: &str) -> Option<bool> {
    boolean(&text.to_lowercase())
}

/// The number of a scalar with the tag `!!float`.
pub(super) fn tagged_float(text: &str) -> Option<Number> {
    float(text)
}

/// The number of a scalar with the tag `!!int`.
pub(super) fn tagged_integer(text: &str) -> Option<Number> {
    integer(text)
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

fn all(text: &str, accepts: fn(u8) -> bool) -> bool {
    text.bytes().all(|byte| byte == b'_' || accepts(byte))
}

fn digits(text: &str) -> bool {
    all(text, |byte| byte.is_ascii_digit())
}

/// `[0-9][0-9_]*`.
fn number_digits(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit()) && digits(text)
}

/// `(:[0-5]?[0-9])+`, without the first colon.
fn sexagesimal_digits(text: &str) -> bool {
    text.split(':').all(|part| match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, digit] => (b'0'..=b'5').contains(tens) && digit.is_ascii_digit(),
        _ => false,
    })
}

fn is_integer(text: &str) -> bool {
    let text = unsigned(text);
    if let Some((first, rest)) = text.split_once(':') {
        return !first.starts_with('0') && number_digits(first) && sexagesimal_digits(rest);
    }
    match text.as_bytes() {
        [b'0'] => true,
        [b'0', b'b', rest @ ..] => !rest.is_empty() && all(&text[2..], |byte| matches!(byte, b'0' | b'1')),
        [b'0', b'x', rest @ ..] => !rest.is_empty() && all(&text[2..], |byte| byte.is_ascii_hexdigit()),
        [b'0', ..] => all(text, |byte| matches!(byte, b'0'..=b'7')),
        [b'1'..=b'9', ..] => digits(text),
        _ => false,
    }
}

fn is_float(text: &str) -> bool {
    if let Some(special) = unsigned(text).strip_prefix('.') {
        match special {
            "inf" | "Inf" | "INF" => return true,
            "nan" | "NaN" | "NAN" => return text.starts_with('.'),
            _ => {}
        }
    }
    let Some((whole, fraction)) = text.split_once('.') else { return false };
    if let Some((first, rest)) = unsigned(whole).split_once(':') {
        return number_digits(first) && sexagesimal_digits(rest) && digits(fraction);
    }
    let (fraction, exponent) = match fraction.split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (fraction, None),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let signed = exponent.strip_prefix(['+', '-']);
        signed.is_some_and(|power| !power.is_empty() && power.bytes().all(|byte| byte.is_ascii_digit()))
    });
    // A number without a whole part has no sign.
    let whole_fits = if whole.is_empty() { number_digits(fraction) } else { number_digits(unsigned(whole)) };
    exponent_fits && whole_fits && digits(fraction)
}

/// Integers of 64 bits keep their digits; larger ones become floats.
fn integer(text: &str) -> Option<Number> {
    let plain = text.replace('_', "");
    let negative = plain.starts_with('-');
    let digits = unsigned(&plain);
    let magnitude = if let Some(binary) = digits.strip_prefix("0b") {
        u128::from_str_radix(binary, 2).ok()
    } else if let Some(hexadecimal) = digits.strip_prefix("0x") {
        u128::from_str_radix(hexadecimal, 16).ok()
    } else if digits.contains(':') {
        let mut parts = digits.split(':').map(str::parse::<u128>);
        parts.try_fold(0_u128, |sum, part| sum.checked_mul(60)?.checked_add(part.ok()?))
    } else if digits.len() > 1 && digits.starts_with('0') {
        u128::from_str_radix(digits, 8).ok()
    } else {
        return digits.parse::<u128>().map_or_else(|_| float(&plain), |value| signed(value, negative));
    };
    signed(magnitude?, negative)
}

fn signed(magnitude: u128, negative: bool) -> Option<Number> {
    let value = i128::try_from(magnitude).ok()?;
    let value = if negative { -value } else { value };
    Number::from_i128(value)
        .filter(|_| i64::try_from(value).is_ok() || u64::try_from(value).is_ok())
        .or_else(|| float(&value.to_string()))
}

fn float(text: &str) -> Option<Number> {
    let plain = text.replace('_', "");
    let value = if plain.contains(':') {
        let sign = if plain.starts_with('-') { -1.0 } else { 1.0 };
        let mut parts = unsigned(&plain).split(':').map(str::parse::<f64>);
        sign * parts.try_fold(0.0, |sum, part| part.ok().map(|part| sum * 60.0 + part))?
    } else {
        plain.parse().ok()?
    };
    Number::from_f64(value)
}
