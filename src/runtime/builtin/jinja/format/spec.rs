//! Python's format specification mini-language: `[[fill]align][sign][#][0][width][grouping][.precision][type]`.

use super::numbers::{Align, as_float, as_integer, checked_precision, float_digits, integer_digits, write_padded};
use crate::runtime::builtin::{
    jinja::decimal::float_repr,
    jinja::error::{Result, failed},
    jinja::heap::Heap,
    jinja::repr::write_str,
    jinja::text::{PyText, TextBuilder},
    jinja::value::PyValue,
};

#[derive(Debug)]
struct FormatSpec {
    fill: char,
    align: Option<Align>,
    sign: char,
    alternate: bool,
    zero: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

impl FormatSpec {
    fn parse(spec: &str) -> Result<Self> {
        let mut rest = spec;
        let (mut fill, mut align) = (None, None);
        let mut characters = rest.chars();
        if let (Some(first), Some(second)) = (characters.next(), characters.next())
            && let Some(found) = align_of(second)
        {
            (fill, align) = (Some(first), Some(found));
            rest = &rest[first.len_utf8() + second.len_utf8()..];
        } else if let Some(found) = rest.chars().next().and_then(align_of) {
            align = Some(found);
            rest = &rest[1..];
        }
        let sign = rest.chars().next().filter(|sign| "+- ".contains(*sign));
        rest = &rest[sign.map_or(0, char::len_utf8)..];
        // `z` turns a negative zero into a positive one.
        rest = rest.strip_prefix('z').unwrap_or(rest);
        let alternate = rest.starts_with('#');
        rest = rest.strip_prefix('#').unwrap_or(rest);
        let zero = rest.starts_with('0');
        let (width, after) = digits(rest);
        rest = after;
        let grouping = rest.chars().next().filter(|grouping| matches!(grouping, ',' | '_'));
        rest = &rest[grouping.map_or(0, char::len_utf8)..];
        let mut precision = None;
        if let Some(after) = rest.strip_prefix('.') {
            let (number, after) = digits(after);
            precision = Some(number.ok_or_else(|| failed("Format specifier missing precision"))?);
            rest = after;
        }
        let mut characters = rest.chars();
        let kind = characters.next();
        if characters.next().is_some() {
            return Err(failed("Invalid format specifier"));
        }
        Ok(Self {
            fill: fill.unwrap_or(if zero { '0' } else { ' ' }),
            align,
            sign: sign.unwrap_or('-'),
            alternate,
            zero,
            width: width.unwrap_or(0),
            grouping,
            precision,
            kind,
        })
    }

    fn sign_of(&self, negative: bool) -> &'static str {
        match (negative, self.sign) {
            (true, _) => "-",
            (false, '+') => "+",
            (false, ' ') => " ",
            _ => "",
        }
    }
}

fn align_of(character: char) -> Option<Align> {
    Some(match character {
        '<' => Align::Left,
        '>' => Align::Right,
        '^' => Align::Center,
        '=' => Align::AfterSign,
        _ => return None,
    })
}

fn digits(text: &str) -> (Option<usize>, &str) {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let number = if length == 0 { None } else { Some(text[..length].parse().unwrap_or(usize::MAX)) };
    (number, &text[length..])
}

/// Appends `format(value, spec)`.
pub(super) fn write_formatted(heap: &Heap, out: &mut TextBuilder<'_>, value: &PyValue, spec: &str) -> Result<()> {
    if spec.is_empty() {
        return write_str(heap, out, value);
    }
    let spec = FormatSpec::parse(spec)?;
    match value {
        PyValue::Text(text) => write_text(out, text, &spec),
        PyValue::Int(number) => write_integer(out, *number, &spec),
        PyValue::Bool(truth) => write_integer(out, (*truth).into(), &spec),
        PyValue::Float(number) => write_float(out, *number, &spec),
        other => Err(failed(format!("unsupported format string passed to {}.__format__", other.type_name()))),
    }
}

fn unknown(spec: &FormatSpec, kind: &str) -> Result<()> {
    let code = spec.kind.unwrap_or_default();
    Err(failed(format!("Unknown format code '{code}' for object of type '{kind}'")))
}

fn write_text(out: &mut TextBuilder<'_>, text: &PyText, spec: &FormatSpec) -> Result<()> {
    if !matches!(spec.kind, None | Some('s')) {
        return unknown(spec, "str");
    }
    if spec.sign != '-' || spec.align == Some(Align::AfterSign) || spec.grouping.is_some() {
        return Err(failed("signs, '=' and groups are not allowed in string format specifier"));
    }
    out.budget().read(text.len())?;
    let end = spec.precision.and_then(|precision| text.char_indices().nth(precision));
    let text = end.map_or(&**text, |(end, _)| &text[..end]);
    write_padded(out, ("", text), (spec.fill, spec.align.unwrap_or(Align::Left)), spec.width)
}

fn write_integer(out: &mut TextBuilder<'_>, number: i128, spec: &FormatSpec) -> Result<()> {
    match spec.kind {
        None | Some('d' | 'n' | 'b' | 'o' | 'x' | 'X') => {
            if spec.precision.is_some() {
                return Err(failed("Precision not allowed in integer format specifier"));
            }
            let (prefix, digits) = integer_digits(number, spec.kind.unwrap_or('d'));
            let size = if prefix.is_empty() { 3 } else { 4 };
            let prefix = if spec.alternate { prefix } else { "" };
            write_digits(out, &[spec.sign_of(number < 0), prefix].concat(), &digits, size, spec)
        }
        Some('c') => {
            let character = u32::try_from(number).ok().and_then(char::from_u32);
            let character = character.ok_or_else(|| failed("%c arg not in range(0x110000)"))?;
            let align = spec.align.unwrap_or(Align::Left);
            write_padded(out, ("", character.encode_utf8(&mut [0; 4])), (spec.fill, align), spec.width)
        }
        Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') => {
            write_float(out, as_float(&PyValue::Int(number)).unwrap_or_default(), spec)
        }
        Some(_) => unknown(spec, "int"),
    }
}

fn write_float(out: &mut TextBuilder<'_>, number: f64, spec: &FormatSpec) -> Result<()> {
    let precision = spec.precision.unwrap_or(6);
    let digits = match spec.kind {
        Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G')) => float_digits(number, kind, precision, spec.alternate)?,
        Some('n') => float_digits(number, 'g', precision, spec.alternate)?,
        Some('%') => float_digits(number * 100.0, 'f', precision, spec.alternate)? + "%",
        None => match spec.precision {
            None => float_repr(number.abs()),
            Some(precision) => default_digits(number, checked_precision(precision)?)?,
        },
        Some(_) => return unknown(spec, "float"),
    };
    let negative = number.is_sign_negative() && !number.is_nan();
    write_digits(out, spec.sign_of(negative), &digits, 3, spec)
}

/// A float with a precision and without a type: like `g`, with a digit after the point.
fn default_digits(number: f64, precision: usize) -> Result<String> {
    let exponent = as_integer(&PyValue::Float(number.abs().log10().floor()), true).unwrap_or(0);
    if exponent >= i128::try_from(precision.max(1)).unwrap_or(i128::MAX) - 1 && number != 0.0 {
        let digits = float_digits(number, 'e', precision.max(1) - 1, false)?;
        let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "+00"));
        let mantissa =
            if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
        return Ok(format!("{mantissa}e{exponent}"));
    }
    let digits = float_digits(number, 'g', precision, false)?;
    Ok(if digits.contains(['.', 'e', 'n']) { digits } else { digits + ".0" })
}

/// Digits with their groups, in the width.
fn write_digits(out: &mut TextBuilder<'_>, prefix: &str, digits: &str, size: usize, spec: &FormatSpec) -> Result<()> {
    let align = spec.align.unwrap_or(if spec.zero { Align::AfterSign } else { Align::Right });
    let Some(separator) = spec.grouping else {
        return write_padded(out, (prefix, digits), (spec.fill, align), spec.width);
    };
    let whole_length = digits.find(|digit: char| !digit.is_ascii_hexdigit()).unwrap_or(digits.len());
    let (whole, rest) = digits.split_at(whole_length);
    let zeros = if spec.fill == '0' && align == Align::AfterSign {
        let room = spec.width.saturating_sub(prefix.len() + rest.len());
        // Each group takes one more place for its separator; a separator never comes first.
        let fewest = room - room / (size + 1);
        let fits = fewest + fewest.saturating_sub(1) / size >= room;
        (fewest + usize::from(!fits)).saturating_sub(whole.len())
    } else {
        0
    };
    out.budget().produce(zeros.saturating_mul(2))?;
    out.budget().memory().give_back(zeros.saturating_mul(2));
    let padded = "0".repeat(zeros) + whole;
    let mut grouped = String::with_capacity(padded.len() * 2);
    for (at, digit) in padded.chars().enumerate() {
        if at > 0 && (padded.len() - at).is_multiple_of(size) {
            grouped.push(separator);
        }
        grouped.push(digit);
    }
    grouped.push_str(rest);
    write_padded(out, (prefix, &grouped), (spec.fill, align), spec.width)
}
