//! Values as Python writes them: with `str`, `repr` and `json.dumps(…, ensure_ascii=False)`.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{
    Serializer, Value,
    ser::{Formatter, PrettyFormatter},
};

use crate::runtime::builtin::bounded_buffer::BoundedBuffer;

/// A float like Python's `repr`: shortest digits, with an exponent from `1e16` up and below `1e-4`.
pub(super) fn float(float: f64) -> String {
    if float == 0.0 || (1e-4..1e16).contains(&float.abs()) {
        return format!("{float:?}");
    }
    let text = format!("{float:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(exponent) => format!("{digits}e-{exponent:0>2}"),
            None => format!("{digits}e+{exponent:0>2}"),
        },
        None => text,
    }
}

/// `json.dumps(value)` in at most `limit` bytes; `None` beyond.
pub(super) fn json(value: &Value, limit: usize) -> Option<String> {
    serialized(value, limit, OneLine)
}

/// `json.dumps(value, indent=2)` in at most `limit` bytes; `None` beyond.
pub(super) fn indented_json(value: &Value, limit: usize) -> Option<String> {
    serialized(value, limit, Indented(PrettyFormatter::new()))
}

/// `str(value)` in at most `limit` bytes; `None` beyond.
pub(super) fn str(value: &Value, limit: usize) -> Option<String> {
    match value {
        Value::String(text) => (text.len() <= limit).then(|| text.clone()),
        value => {
            let mut out = BoundedBuffer::new(limit);
            write_repr(value, &mut out).ok()?;
            String::from_utf8(out.into_bytes()).ok()
        }
    }
}

fn serialized(value: &Value, limit: usize, formatter: impl Formatter) -> Option<String> {
    let mut out = BoundedBuffer::new(limit);
    // A JSON value always serializes; only the limit can fail.
    value.serialize(&mut Serializer::with_formatter(&mut out, formatter)).ok()?;
    String::from_utf8(out.into_bytes()).ok()
}

/// Writes `repr(value)`. A value of `serde_json` is nested less deeply than the stack allows.
fn write_repr(value: &Value, out: &mut impl Write) -> io::Result<()> {
    match value {
        Value::Null => out.write_all(b"None"),
        Value::Bool(true) => out.write_all(b"True"),
        Value::Bool(false) => out.write_all(b"False"),
        Value::Number(number) => match number.as_f64() {
            Some(value) if number.is_f64() => out.write_all(float(value).as_bytes()),
            _ => write!(out, "{number}"),
        },
        Value::String(text) => write_quoted(text, out),
        Value::Array(items) => {
            out.write_all(b"[")?;
            for (at, item) in items.iter().enumerate() {
                out.write_all(if at > 0 { b", " } else { b"" })?;
                write_repr(item, out)?;
            }
            out.write_all(b"]")
        }
        Value::Object(members) => {
            out.write_all(b"{")?;
            for (at, (name, value)) in members.iter().enumerate() {
                out.write_all(if at > 0 { b", " } else { b"" })?;
                write_quoted(name, out)?;
                out.write_all(b": ")?;
                write_repr(value, out)?;
            }
            out.write_all(b"}")
        }
    }
}

/// Single quotes, unless the text contains some and no double ones.
fn write_quoted(text: &str, out: &mut impl Write) -> io::Result<()> {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    write!(out, "{quote}")?;
    for character in text.chars() {
        match character {
            '\\' => out.write_all(b"\\\\")?,
            '\n' => out.write_all(b"\\n")?,
            '\r' => out.write_all(b"\\r")?,
            '\t' => out.write_all(b"\\t")?,
            character if character == quote => write!(out, "\\{character}")?,
            character if u32::from(character) < 0x100 && (character.is_control() || character == '\u{ad}') => {
                write!(out, "\\x{:02x}", u32::from(character))?;
            }
            '\u{a0}' => out.write_all(b"\\xa0")?,
            '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{3000}' | '\u{feff}' => {
                write!(out, "\\u{:04x}", u32::from(character))?;
            }
            character => write!(out, "{character}")?,
        }
    }
    write!(out, "{quote}")
}

/// A blank after commas and colons, and Python's floats.
struct OneLine;

impl Formatter for OneLine {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_f64<W: ?Sized + Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        out.write_all(float(value).as_bytes())
    }
}

/// An indent of two blanks, and Python's floats.
struct Indented(PrettyFormatter<'static>);

impl Formatter for Indented {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }

    fn write_f64<W: ?Sized + Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        out.write_all(float(value).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn repr_is_pythons() {
        for (value, expected) in [
            (json!([1, 2.0, "a", true, null]), "[1, 2.0, 'a', True, None]"),
            (json!([{"k": "it's"}]), r#"[{'k': "it's"}]"#),
            (json!(["both ' and \""]), r#"['both \' and "']"#),
            (json!(["a\nb\t\\\u{7f}\u{a0}é中"]), r"['a\nb\t\\\x7f\xa0é中']"),
            (json!([[], {}]), "[[], {}]"),
            (json!("as it is"), "as it is"),
            (json!(1e16), "1e+16"),
        ] {
            assert_eq!(str(&value, 1000).as_deref(), Some(expected));
        }
        assert_eq!(str(&json!(["a"]), 4), None);
    }

    #[test]
    fn json_is_that_of_json_dumps() {
        let value = json!({"a": [1, {"b": 1.0}], "c": [], "d": {}, "é": "\"\n"});
        assert_eq!(json(&value, 1000).unwrap(), r#"{"a": [1, {"b": 1.0}], "c": [], "d": {}, "é": "\"\n"}"#);
        let indented = "{\n  \"a\": [\n    1,\n    {\n      \"b\": 1.0\n    }\n  ],\n  \"c\": [],\n  \"d\": {},\n  \"é\": \
                        \"\\\"\\n\"\n}";
        assert_eq!(indented_json(&value, 1000).unwrap(), indented);
        assert_eq!(indented_json(&value, 10), None);
    }
}
