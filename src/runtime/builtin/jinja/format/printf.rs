//! `format % values`.

use std::rc::Rc;

use super::numbers::{Align, as_float, as_integer, checked_precision, float_digits, integer_digits, write_padded};
use crate::runtime::builtin::{
    jinja::error::{Result, failed},
    jinja::markup::escaped,
    jinja::repr::{to_text, write_repr},
    jinja::state::RenderState,
    jinja::text::{PyText, TextBuilder},
    jinja::value::{Entries, PyValue},
};

/// One `%…` of a format.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of Python's formats")]
struct Conversion {
    left: bool,
    plus: bool,
    space: bool,
    zero: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

/// The values that a format takes one after the other, or by their names.
struct Values {
    rest: std::vec::IntoIter<PyValue>,
    names: Option<Rc<Entries>>,
    /// Whether values that are left over are no error.
    is_mapping: bool,
}

impl Values {
    fn next(&mut self) -> Result<PyValue> {
        self.rest.next().ok_or_else(|| failed("not enough arguments for format string"))
    }
}

pub(crate) fn format(state: &RenderState, format: &PyText, values: &PyValue) -> Result<PyText> {
    let mut values = match values {
        PyValue::Tuple(items) => {
            state.heap.budget().produce(items.len() * 32)?;
            Values { rest: items.items.borrow().clone().into_iter(), names: None, is_mapping: false }
        }
        PyValue::Dict(entries) => {
            Values { rest: vec![values.clone()].into_iter(), names: Some(Rc::clone(entries)), is_mapping: true }
        }
        other => {
            let is_mapping = matches!(other, PyValue::List(_));
            Values { rest: vec![other.clone()].into_iter(), names: None, is_mapping }
        }
    };
    let mut out = state.heap.builder();
    let mut rest: &str = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at])?;
        rest = write_conversion(state, &mut out, &rest[at + 1..], &mut values, format.markup)?;
    }
    out.push_str(rest)?;
    if !values.is_mapping && values.rest.next().is_some() {
        return Err(failed("not all arguments converted during string formatting"));
    }
    Ok(out.finish()?.marked(format.markup))
}

/// Writes the conversion whose text stands after a `%`; returns the text after it.
fn write_conversion<'a>(
    state: &RenderState,
    out: &mut TextBuilder<'_>,
    text: &'a str,
    values: &mut Values,
    markup: bool,
) -> Result<&'a str> {
    state.heap.budget().steps(1)?;
    let incomplete = || failed("incomplete format");
    let mut rest = text;
    let mut named = None;
    if let Some(after) = rest.strip_prefix('(') {
        let end = after.find(')').ok_or_else(|| failed("incomplete format key"))?;
        let entries = values.names.as_ref().ok_or_else(|| failed("format requires a mapping"))?;
        let key = state.heap.key(&state.heap.text(&after[..end])?)?;
        named = Some(
            entries.0.borrow().get(&key).cloned().ok_or_else(|| failed(format!("KeyError: '{}'", &after[..end])))?,
        );
        rest = &after[end + 1..];
    }
    let mut conversion = Conversion::default();
    while let Some(flag) = rest.chars().next().filter(|flag| "-+ 0#".contains(*flag)) {
        match flag {
            '-' => conversion.left = true,
            '+' => conversion.plus = true,
            ' ' => conversion.space = true,
            '0' => conversion.zero = true,
            _ => conversion.alternate = true,
        }
        rest = &rest[1..];
    }
    let (width, after) = count(rest, values)?;
    let width = width.unwrap_or(0);
    conversion.left |= width < 0;
    conversion.width = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX);
    rest = after;
    if let Some(after) = rest.strip_prefix('.') {
        let (precision, after) = count(after, values)?;
        conversion.precision = Some(usize::try_from(precision.unwrap_or(0).max(0)).unwrap_or(usize::MAX));
        rest = after;
    }
    rest = rest.strip_prefix(['h', 'l', 'L']).unwrap_or(rest);
    let kind = rest.chars().next().ok_or_else(incomplete)?;
    rest = &rest[kind.len_utf8()..];
    if kind == '%' {
        out.push('%')?;
        return Ok(rest);
    }
    let value = match named {
        Some(value) => value,
        None => values.next()?,
    };
    write_value(state, out, (kind, &conversion), &value, markup)?;
    Ok(rest)
}

/// A number or `*`, and the text after it.
fn count<'a>(text: &'a str, values: &mut Values) -> Result<(Option<i128>, &'a str)> {
    if let Some(rest) = text.strip_prefix('*') {
        let value = values.next()?;
        let number = as_integer(&value, false).ok_or_else(|| failed("* wants int"))?;
        return Ok((Some(number), rest));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number = if digits == 0 { None } else { Some(text[..digits].parse().unwrap_or(i128::MAX)) };
    Ok((number, &text[digits..]))
}

fn write_value(
    state: &RenderState,
    out: &mut TextBuilder<'_>,
    (kind, conversion): (char, &Conversion),
    value: &PyValue,
    markup: bool,
) -> Result<()> {
    let heap = &state.heap;
    match kind {
        's' | 'r' | 'a' => {
            let text = if kind != 's' {
                let mut text = heap.builder();
                write_repr(heap, &mut text, value)?;
                text.finish()?
            } else if markup {
                escaped(heap, value)?
            } else {
                to_text(heap, value)?
            };
            write_text(out, conversion, &text)
        }
        'c' => match value {
            PyValue::Text(text) if text.chars().nth(1).is_none() && !text.is_empty() => {
                write_text(out, conversion, text)
            }
            other => {
                let code = as_integer(other, false).and_then(|code| u32::try_from(code).ok());
                let character = code.and_then(char::from_u32).ok_or_else(|| failed("%c requires int or char"))?;
                write_text(out, conversion, character.encode_utf8(&mut [0; 4]))
            }
        },
        'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
            let truncates = matches!(kind, 'd' | 'i' | 'u');
            let number = as_integer(value, truncates).ok_or_else(|| {
                let needed = if truncates { "a real number" } else { "an integer" };
                failed(format!("%{kind} format: {needed} is required, not {}", value.type_name()))
            })?;
            let (prefix, mut digits) = integer_digits(number, kind);
            let precision = checked_precision(conversion.precision.unwrap_or(0))?;
            digits.insert_str(0, &"0".repeat(precision.saturating_sub(digits.len())));
            let prefix = if conversion.alternate { prefix } else { "" };
            write_number(out, conversion, number < 0, prefix, &digits)
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
            let number =
                as_float(value).ok_or_else(|| failed(format!("must be real number, not {}", value.type_name())))?;
            let digits = float_digits(number, kind, conversion.precision.unwrap_or(6), conversion.alternate)?;
            write_number(out, conversion, number.is_sign_negative() && !number.is_nan(), "", &digits)
        }
        other => Err(failed(format!("unsupported format character '{other}'"))),
    }
}

fn write_text(out: &mut TextBuilder<'_>, conversion: &Conversion, text: &str) -> Result<()> {
    out.budget().read(text.len())?;
    let end = conversion.precision.and_then(|precision| text.char_indices().nth(precision));
    let text = end.map_or(text, |(end, _)| &text[..end]);
    let align = if conversion.left { Align::Left } else { Align::Right };
    write_padded(out, ("", text), (' ', align), conversion.width)
}

fn write_number(
    out: &mut TextBuilder<'_>,
    conversion: &Conversion,
    negative: bool,
    prefix: &str,
    digits: &str,
) -> Result<()> {
    let sign = match (negative, conversion.plus, conversion.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    };
    let padding = if conversion.left {
        (' ', Align::Left)
    } else if conversion.zero {
        ('0', Align::AfterSign)
    } else {
        (' ', Align::Right)
    };
    write_padded(out, (&[sign, prefix].concat(), digits), padding, conversion.width)
}
