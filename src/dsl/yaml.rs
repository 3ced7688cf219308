//! YAML, held to budgets: text becomes a JSON value of bounded size and depth, or a fault with its line.
//!
//! Scalars mean what they mean in YAML 1.2, which is what Dify's own writer (YAML 1.1, and quoting whatever either could
//! take for something else) comes to; `y` as a key of a position is no boolean.

use serde_json::Value;
use serde_saphyr::Options;

use super::error::DslError;

/// The longest file, in bytes: Dify's own limit.
pub(crate) const LONGEST: usize = 10 << 20;
/// The deepest nesting.
const DEEPEST: usize = 64;
/// Values at most, those that aliases repeat included.
const MOST_VALUES: usize = 250_000;
/// Values that aliases may repeat: Dify writes none, people few.
const MOST_REPEATED: usize = 50_000;

/// The budgets of every reading.
pub(super) fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            max_nodes: MOST_VALUES,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_total_scalar_bytes: LONGEST,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MOST_REPEATED,
            max_replay_stack_depth: 16,
        },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        with_snippet: false,
    }
}

/// Reads a document.
pub(super) fn read(text: &str) -> Result<Value, DslError> {
    if text.len() > LONGEST {
        return Err(DslError::at("", format_args!("the file is longer than {} MiB", LONGEST >> 20)));
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|fault| {
        let said = fault.to_string();
        // The lines after the first show the text around the fault, which may hold a secret.
        let reason = said.lines().next().unwrap_or_default();
        let line = fault.location().map(|location| location.line());
        DslError::at_line(line, format_args!("this YAML cannot be read: {reason}"))
    })
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
