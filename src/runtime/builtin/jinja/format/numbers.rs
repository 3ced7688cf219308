//! The digits of numbers, and how they are padded.

use crate::runtime::builtin::{
    jinja::compare::{Numeric, float, numeric},
    jinja::decimal::{exponential, general},
    jinja::error::{Result, failed},
    jinja::text::TextBuilder,
    jinja::value::PyValue,
};

/// Most digits after the point.
const MAX_PRECISION: usize = 10_000;

pub(super) fn checked_precision(precision: usize) -> Result<usize> {
    if precision > MAX_PRECISION {
        return Err(failed(format!("the precision is too large; at most {MAX_PRECISION} digits are offered")));
    }
    Ok(precision)
}

/// The digits of a finite float without its sign. `kind` is one of `e`, `f`, `g` in either case.
pub(super) fn float_digits(number: f64, kind: char, precision: usize, alternate: bool) -> Result<String> {
    let precision = checked_precision(precision)?;
    let number = number.abs();
    let mut digits = if number.is_nan() {
        "nan".to_owned()
    } else if number.is_infinite() {
        "inf".to_owned()
    } else {
        match kind.to_ascii_lowercase() {
            'e' => exponential(number, precision),
            'f' if alternate && precision == 0 => format!("{number:.0}."),
            'f' => format!("{number:.precision$}"),
            _ => general(number, precision, alternate),
        }
    };
    if kind.is_ascii_uppercase() {
        digits.make_ascii_uppercase();
    }
    Ok(digits)
}

/// The digits of an integer without its sign, and the prefix of its base.
pub(super) fn integer_digits(number: i128, kind: char) -> (&'static str, String) {
    let number = number.unsigned_abs();
    match kind {
        'x' => ("0x", format!("{number:x}")),
        'X' => ("0X", format!("{number:X}")),
        'o' => ("0o", format!("{number:o}")),
        'b' => ("0b", format!("{number:b}")),
        _ => ("", number.to_string()),
    }
}

pub(super) fn as_float(value: &PyValue) -> Option<f64> {
    numeric(value).map(float)
}

/// The integer of a value; a float is cut off when `truncates` is set.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
pub(super) fn as_integer(value: &PyValue, truncates: bool) -> Option<i128> {
    match numeric(value)? {
        Numeric::Int(number) => Some(number),
        Numeric::Float(number) => (truncates && number.abs() < 1e38).then_some(number as i128),
    }
}

/// Where a body stands in its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    Center,
    /// Between the sign and the digits.
    AfterSign,
}

/// Appends a sign or prefix and a body, padded to a width.
pub(super) fn write_padded(
    out: &mut TextBuilder<'_>,
    (prefix, body): (&str, &str),
    (fill, align): (char, Align),
    width: usize,
) -> Result<()> {
    out.budget().read(body.len())?;
    let missing = width.saturating_sub(prefix.chars().count() + body.chars().count());
    let before = match align {
        Align::Left | Align::AfterSign => 0,
        Align::Right => missing,
        Align::Center => missing / 2,
    };
    out.pad(fill, before)?;
    out.push_str(prefix)?;
    if align == Align::AfterSign {
        out.pad(fill, missing)?;
    }
    out.push_str(body)?;
    if matches!(align, Align::Left | Align::Center) {
        out.pad(fill, missing - before)?;
    }
    Ok(())
}
