//! Values without quotes: numbers, literals of JSON and Python, and texts.

use serde_json::{Number, Value};

/// The value of a token; a text when it is nothing else.
pub(super) fn read(token: &str) -> Value {
    number_or_constant(token).unwrap_or_else(|| Value::String(token.to_owned()))
}

/// Whether the token is a number, `true`, `false` or null.
pub(super) fn is_complete(token: &str) -> bool {
    number_or_constant(token).is_some()
}

fn number_or_constant(token: &str) -> Option<Value> {
    for (name, value) in
        [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null), ("none", Value::Null)]
    {
        if token.eq_ignore_ascii_case(name) {
            return Some(value);
        }
    }
    let digits = token.strip_prefix('+').unwrap_or(token);
    let first = digits.strip_prefix('-').unwrap_or(digits).chars().next()?;
    if !first.is_ascii_digit() && first != '.' {
        return None;
    }
    let exact = digits.parse::<i64>().map(Number::from).or_else(|_| digits.parse::<u64>().map(Number::from));
    exact.ok().or_else(|| Number::from_f64(digits.parse().ok()?)).map(Value::Number)
}
