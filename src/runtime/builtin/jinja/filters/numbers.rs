//! Filters of numbers.

use crate::runtime::builtin::{
    jinja::arguments::{Arguments, flag, integer, text},
    jinja::arithmetic::too_large,
    jinja::compare::{Numeric, float as to_float, numeric},
    jinja::error::{Result, failed},
    jinja::lexer::is_space,
    jinja::state::RenderState,
    jinja::value::PyValue,
};

pub(super) fn abs(_: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    arguments.none("abs")?;
    match (value, numeric(value)) {
        (PyValue::Undefined(message), _) => Err(failed(&**message)),
        (_, Some(Numeric::Int(number))) => number.checked_abs().map(PyValue::Int).ok_or_else(too_large),
        (_, Some(Numeric::Float(number))) => Ok(PyValue::Float(number.abs())),
        _ => Err(failed(format!("bad operand type for abs(): '{}'", value.type_name()))),
    }
}

pub(super) fn int(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [default, base] = arguments.bind("int", ["default", "base"], 0)?;
    let default = default.unwrap_or(PyValue::Int(0));
    let base = integer(base.as_ref())?.unwrap_or(10);
    let found = match value {
        PyValue::Undefined(message) => return Err(failed(&**message)),
        PyValue::Text(text) => {
            state.heap.budget().read(text.len())?;
            let text = text.trim_matches(is_space);
            match parse_integer(text, base)? {
                Some(number) => Some(number),
                None => parse_float(text).and_then(whole_part),
            }
        }
        PyValue::Float(number) if number.is_infinite() => {
            // As in Jinja2, where only the second attempt catches `OverflowError`.
            return Err(failed("cannot convert float infinity to integer"));
        }
        other => numeric(other).and_then(|number| match number {
            Numeric::Int(number) => Some(number),
            Numeric::Float(number) => whole_part(number),
        }),
    };
    Ok(found.map_or(default, PyValue::Int))
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn whole_part(number: f64) -> Option<i128> {
    (number.abs() < 1e38).then_some(number as i128)
}

/// Python's `int(text, base)`; `None` where it raises `ValueError`.
fn parse_integer(text: &str, base: i128) -> Result<Option<i128>> {
    let radix = u32::try_from(base).ok().filter(|base| *base == 0 || (2..=36).contains(base));
    let Some(radix) = radix else { return Ok(None) };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefix = match digits.get(..2) {
        Some("0x" | "0X") => 16,
        Some("0o" | "0O") => 8,
        Some("0b" | "0B") => 2,
        _ => 0,
    };
    let (radix, digits) = match (radix, prefix) {
        (0, 0) => (10, digits),
        (0, prefix) => (prefix, &digits[2..]),
        (radix, prefix) if radix == prefix => (radix, digits[2..].strip_prefix('_').unwrap_or(&digits[2..])),
        (radix, _) => (radix, digits),
    };
    let is_valid = !digits.is_empty()
        && !digits.starts_with('_')
        && !digits.ends_with('_')
        && !digits.contains("__")
        && digits.chars().all(|digit| digit == '_' || digit.is_digit(radix));
    if !is_valid {
        return Ok(None);
    }
    let digits = digits.replace('_', "");
    let number = i128::from_str_radix(&digits, radix).map_err(|_| too_large())?;
    Ok(Some(if negative { -number } else { number }))
}

/// Python's `float(text)`.
fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim_matches(is_space);
    if text.starts_with('_') || text.ends_with('_') || text.contains("__") {
        return None;
    }
    let plain = text.replace('_', "").to_ascii_lowercase();
    let unsigned = plain.trim_start_matches(['+', '-']);
    let starts_right = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    let is_special = matches!(unsigned, "nan" | "inf" | "infinity");
    (starts_right || is_special).then(|| plain.parse().ok()).flatten()
}

pub(super) fn float(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [default] = arguments.bind("float", ["default"], 0)?;
    let found = match value {
        PyValue::Undefined(message) => return Err(failed(&**message)),
        PyValue::Text(text) => {
            state.heap.budget().read(text.len())?;
            parse_float(text)
        }
        other => numeric(other).map(to_float),
    };
    Ok(found.map_or_else(|| default.unwrap_or(PyValue::Float(0.0)), PyValue::Float))
}

pub(super) fn round(_: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [precision, method] = arguments.bind("round", ["precision", "method"], 0)?;
    let precision = integer(precision.as_ref())?.unwrap_or(0).clamp(-400, 400);
    let precision = i32::try_from(precision).unwrap_or(0);
    let method = text(method)?;
    let method = method.as_deref().unwrap_or("common");
    if !matches!(method, "common" | "ceil" | "floor") {
        return Err(failed("method must be common, ceil or floor"));
    }
    if let PyValue::Undefined(message) = value {
        return Err(failed(&**message));
    }
    let number = numeric(value);
    let number = number.ok_or_else(|| failed(format!("type {} doesn't define __round__ method", value.type_name())))?;
    match (method, number) {
        ("common", Numeric::Int(number)) => round_integer(number, precision).map(PyValue::Int),
        ("common", Numeric::Float(number)) => Ok(PyValue::Float(round_float(number, precision))),
        (method, number) => {
            let scale = 10_f64.powi(precision);
            let scaled = to_float(number) * scale;
            let rounded = if method == "ceil" { scaled.ceil() } else { scaled.floor() };
            Ok(PyValue::Float(rounded / scale))
        }
    }
}

/// Half goes to the even neighbour.
fn round_integer(number: i128, precision: i32) -> Result<i128> {
    if precision >= 0 {
        return Ok(number);
    }
    let Some(unit) = 10_i128.checked_pow(precision.unsigned_abs()) else { return Ok(0) };
    let (quotient, rest) = (number.div_euclid(unit), number.rem_euclid(unit));
    let up = rest > unit / 2 || (rest == unit / 2 && quotient % 2 != 0);
    (quotient + i128::from(up)).checked_mul(unit).ok_or_else(too_large)
}

/// Rounds the exact decimal value, as Python's `round` does; half goes to the even digit.
fn round_float(number: f64, precision: i32) -> f64 {
    if !number.is_finite() {
        return number;
    }
    if let Ok(digits) = usize::try_from(precision) {
        return format!("{number:.digits$}").parse().unwrap_or(number);
    }
    let unit = 10_f64.powi(-precision);
    (number / unit).round_ties_even() * unit
}

pub(super) fn filesizeformat(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [binary] = arguments.bind("filesizeformat", ["binary"], 0)?;
    let binary = flag(binary.as_ref());
    let bytes = match value {
        PyValue::Text(text) => parse_float(text),
        other => numeric(other).map(to_float),
    };
    let bytes = bytes.ok_or_else(|| failed(format!("'{}' is not a number of bytes", value.type_name())))?;
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    if bytes.total_cmp(&1.0).is_eq() {
        return state.heap.text("1 Byte");
    }
    if bytes < base {
        return state.heap.text(&format!("{} Bytes", whole_part(bytes).unwrap_or(0)));
    }
    let names = if binary {
        ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]
    } else {
        ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]
    };
    let mut unit = base;
    let mut name = names[0];
    for next in names {
        unit *= base;
        name = next;
        if bytes < unit {
            break;
        }
    }
    state.heap.text(&format!("{:.1} {name}", base * bytes / unit))
}
