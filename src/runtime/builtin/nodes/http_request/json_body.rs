//! Fills references into a JSON text.
//!
//! A reference inside quotes is escaped, so that no value ends its text. Outside quotes, numbers, flags, lists and
//! objects are written as JSON, and a text that is not JSON is quoted. Only what is invalid after that is repaired.
//! Dify repairs the text with the values as they are, so that quotes in a value can add members there.

use std::borrow::Cow;

use serde_json::{Value, value::RawValue};

use crate::runtime::builtin::{
    json_repair::repair_json,
    nodes::outcome::NodeError,
    variables::{
        pool::VariableView,
        text::{TextPart, TextTemplate},
        value::{self, TextTooLongError},
    },
};

/// Renders a JSON text of at most `limit` bytes, without blanks between its tokens.
pub(super) fn render(template: &TextTemplate, view: VariableView<'_>, limit: usize) -> Result<String, Box<NodeError>> {
    let text = fill(template, view, limit)?;
    match serde_json::from_str::<&RawValue>(&text) {
        Ok(valid) => Ok(without_blanks(valid.get())),
        Err(error) => match repair_json(&text) {
            Some(repaired) => Ok(repaired.to_string()),
            None => Err(NodeError::new("RequestBodyError", format!("Failed to parse JSON: {error}"))),
        },
    }
}

fn fill(template: &TextTemplate, view: VariableView<'_>, limit: usize) -> Result<String, TextTooLongError> {
    let parts = template.parts();
    let mut scan = JsonScan::default();
    let mut out = String::new();
    for (at, part) in parts.iter().enumerate() {
        let written: Cow<'_, str> = match part {
            TextPart::Literal(text) => scan.read(text).into(),
            TextPart::Reference(selector) => {
                let Some(found) = view.get(selector) else { continue };
                if let Some(quote) = scan.quote {
                    escaped(&value::text(found, limit)?, quote).into()
                } else {
                    let next = match parts.get(at + 1) {
                        None => Some(']'),
                        Some(TextPart::Literal(text)) => text.trim_start().chars().next(),
                        Some(TextPart::Reference(_)) => None,
                    };
                    let is_whole_value =
                        matches!(scan.last, Some(':' | ',' | '[')) && matches!(next, Some(',' | '}' | ']'));
                    scan.last = Some('"');
                    unquoted(found, is_whole_value, limit)?
                }
            }
        };
        if out.len() + written.len() > limit {
            return Err(TextTooLongError { limit });
        }
        out.push_str(&written);
    }
    Ok(out)
}

/// Where a JSON text that is read piece by piece has got to.
#[derive(Default)]
struct JsonScan {
    /// The quote that ends the current text; `None` outside texts.
    quote: Option<char>,
    /// Whether a backslash precedes, inside a text.
    escape: bool,
    /// The last character outside texts that is not blank.
    last: Option<char>,
}

impl JsonScan {
    /// Reads a literal part. Returns it with the control characters inside its texts escaped, as JSON requires.
    fn read(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for character in text.chars() {
            match self.quote {
                Some(_) if character < ' ' && !self.escape => {
                    out.push_str(&escaped(character.encode_utf8(&mut [0; 4]), '"'));
                    continue;
                }
                Some(_) if self.escape => self.escape = false,
                Some(_) if character == '\\' => self.escape = true,
                Some(quote) if character == quote => self.quote = None,
                Some(_) => {}
                None => {
                    // A single quote in the middle of a text without quotes is an apostrophe.
                    let may_start = matches!(self.last, Some(':' | ',' | '[' | '{') | None);
                    if character == '"' || (character == '\'' && may_start) {
                        self.quote = Some(character);
                    }
                    if !character.is_whitespace() {
                        self.last = Some(character);
                    }
                }
            }
            out.push(character);
        }
        out
    }
}

/// A value outside quotes.
fn unquoted(found: &Value, is_whole_value: bool, limit: usize) -> Result<Cow<'_, str>, TextTooLongError> {
    let text: Cow<'_, str> = match found {
        // As Dify has it: nothing, which is repaired to an empty text.
        Value::Null => "".into(),
        Value::String(text) if !is_whole_value || is_json(text) => text.as_str().into(),
        Value::String(text) => {
            let looks_like_json = text.trim_start().starts_with(['{', '[']);
            // Repaired by itself, so that it cannot add members around it.
            match looks_like_json.then(|| repair_json(text)).flatten() {
                Some(repaired) => repaired.to_string().into(),
                None => Value::String(text.clone()).to_string().into(),
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => found.to_string().into(),
    };
    if text.len() > limit { Err(TextTooLongError { limit }) } else { Ok(text) }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

/// The text as it stands between these quotes.
fn escaped(text: &str, quote: char) -> String {
    let quoted = Value::String(text.to_owned()).to_string();
    let inner = &quoted[1..quoted.len() - 1];
    if quote == '\'' { inner.replace("\\\"", "\"").replace('\'', "\\'") } else { inner.to_owned() }
}

/// Valid JSON without the blanks between its tokens. Numbers and texts stay as they are written.
fn without_blanks(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_text, mut escape) = (false, false);
    for character in json.chars() {
        if !in_text && character.is_whitespace() {
            continue;
        }
        out.push(character);
        match character {
            _ if escape => escape = false,
            '\\' if in_text => escape = true,
            '"' => in_text = !in_text,
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests;
