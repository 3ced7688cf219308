//! Why the data of a node cannot be read: where in the data, and what to write there.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// A fault in the data of a node or an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeDataError {
    /// The place in the data, such as `retry_config.max_retries`; empty: the data as a whole.
    pub place: String,
    pub reason: String,
}

impl fmt::Display for NodeDataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{} ", self.place)?;
        }
        f.write_str(&self.reason)
    }
}

impl From<String> for NodeDataError {
    fn from(reason: String) -> Self {
        Self { place: String::new(), reason }
    }
}

/// Reads data into a type.
pub(super) fn typed<'a, T: Deserialize<'a>>(data: &'a Value) -> Result<T, NodeDataError> {
    serde_path_to_error::deserialize(data).map_err(|error| {
        let place = error.path().to_string();
        let place = if place == "." { String::new() } else { place };
        NodeDataError { place, reason: reason(&error.inner().to_string()) }
    })
}

/// Turns what serde reports into a sentence for the author of the app.
fn reason(error: &str) -> String {
    let error = error.split(" at line ").next().unwrap_or_default();
    if let Some(name) = error.strip_prefix("missing field ") {
        return format!("lacks {name}; add it");
    }
    if let Some((found, expected)) =
        error.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    {
        return format!("is {}; write {}", plain_type(found), plain_type(expected));
    }
    if let Some((found, expected)) =
        error.strip_prefix("unknown variant ").and_then(|rest| rest.split_once(", expected "))
    {
        let expected = expected.trim_start_matches("one of ");
        return format!("is {found}, which is unknown; write {expected}");
    }
    if error.starts_with("invalid value: ") || error.starts_with("data did not match any variant") {
        return "has a value or a form that cannot be read; set it again in Dify's editor".to_owned();
    }
    // Errors of our own deserializers are sentences already.
    error.to_owned()
}

/// The words of DSL files for serde's words of Rust's types.
fn plain_type(name: &str) -> String {
    let name = name.trim();
    if let Some(text) = name.strip_prefix("string ") {
        return format!("the text {text}");
    }
    let words = match name.split([' ', '`']).next().unwrap_or_default() {
        "a" if name.contains("string") => "text",
        "a" if name.contains("sequence") => "a list",
        "a" if name.contains("map") => "a mapping",
        "a" if name.contains("boolean") => "true or false",
        "map" | "struct" => "a mapping",
        "sequence" => "a list",
        "unit" | "null" => "empty",
        "boolean" => return name.replace("boolean", "the value"),
        "integer" | "floating" => return name.replace("integer", "the number").replace("floating point", "the number"),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        _ => name,
    };
    words.to_owned()
}
