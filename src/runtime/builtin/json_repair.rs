//! Repairs JSON as people and models write it: single quotes, trailing or missing commas, missing brackets, comments,
//! unquoted keys and texts, Python's literals, and text around the JSON.

mod literal;
mod parser;
#[cfg(test)]
mod tests;

use serde_json::Value;

use self::parser::RepairParser;

/// Longest text that is repaired, in bytes. Repairing takes about a microsecond for each byte at worst.
pub(crate) const MAX_REPAIRED: usize = 256 << 10;

/// The JSON in a text: its objects and lists, as one value or as a list when there are several. `None` without any,
/// for a text that is too long, and for one that is nested too deeply.
pub(crate) fn repair_json(text: &str) -> Option<Value> {
    if text.len() > MAX_REPAIRED {
        return None;
    }
    let mut parser = RepairParser::new(text);
    let mut values = Vec::new();
    while parser.skip_to_container() {
        values.push(parser.value()?);
    }
    if values.len() > 1 { Some(Value::Array(values)) } else { values.pop() }
}
