//! YAML as `PyYAML`'s `SafeLoader` reads it, which is what Dify uses, held to budgets: text becomes a JSON value of
//! bounded size and depth, or a fault with its place and line.
//!
//! Differences: dates and numbers that JSON does not have stay text, and tags other than those of JSON's types are
//! refused.

mod composer;
mod events;
mod limits;
mod line;
mod quoted;
mod scalar;
mod syntax_error;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::Value;

use self::{composer::Composer, events::Events};
use super::error::DslError;

pub(crate) use self::limits::LONGEST;

/// A YAML document and its value.
#[derive(Debug)]
pub(super) struct Document<'t> {
    text: Cow<'t, str>,
    pub value: Value,
}

impl<'t> Document<'t> {
    /// Reads the only document of a text.
    pub(super) fn read(text: &'t str) -> Result<Self, DslError> {
        if text.len() > LONGEST {
            return Err(DslError::at("", format_args!("the file is longer than {} MiB", LONGEST >> 20)));
        }
        let mut text = Cow::Borrowed(text);
        let mut parsed = 0;
        loop {
            let mut composer = Composer::new(Events::new(&text));
            let fault = match composer.document() {
                Ok(value) => return Ok(Self { text, value }),
                Err(fault) => fault,
            };
            let repaired = composer.after_unindented_quote().and_then(|at| quoted::indent(&text, at, &mut parsed));
            text = Cow::Owned(repaired.ok_or(fault)?);
        }
    }

    /// Sets the line of each fault that has a place and no line.
    pub(super) fn set_lines(&self, faults: &mut [DslError]) {
        let mut unset: Vec<&mut DslError> = faults.iter_mut().filter(|fault| fault.line.is_none()).collect();
        if unset.is_empty() {
            return;
        }
        let lines = line::lines_of(&self.text, unset.iter().map(|fault| fault.place.as_str()));
        for (fault, line) in unset.iter_mut().zip(lines) {
            fault.line = line;
        }
    }
}

/// Refuses NUL in any text: PostgreSQL keeps none.
pub(super) fn without_nul(value: &Value) -> Result<(), DslError> {
    fn walk(value: &Value, place: &mut Vec<String>) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().enumerate().any(|(at, item)| {
                place.push(format!("[{at}]"));
                walk(item, place) || place.pop().is_none()
            }),
            Value::Object(members) => members.iter().any(|(name, value)| {
                let dot = if place.is_empty() { "" } else { "." };
                place.push(format!("{dot}{}", name.replace('\0', "\\0")));
                name.contains('\0') || walk(value, place) || place.pop().is_none()
            }),
            _ => false,
        }
    }
    let mut place = Vec::new();
    if walk(value, &mut place) { Err(DslError::at(place.concat(), "contains a NUL character")) } else { Ok(()) }
}
