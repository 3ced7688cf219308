//! What a body takes once it is parsed, estimated before it is parsed.

use serde_json::Value;

/// A parsed value where it stands.
pub(crate) const VALUE: usize = size_of::<Value>();
/// A parsed member of an object: its value, its name, its hash.
pub(crate) const MEMBER: usize = VALUE + size_of::<String>() + size_of::<u64>();
/// An entry of an object's index: a number and a control byte, at the emptiest that a table is.
pub(crate) const INDEX_ENTRY: usize = 24;
/// What an allocation takes beyond its contents.
pub(crate) const ALLOCATION: usize = 32;
/// Elements that a list has room for from its first on.
pub(crate) const FIRST_CAPACITY: usize = 4;
/// Lists double when they are full.
pub(crate) const GROWTH: usize = 2;

/// An upper estimate of the bytes of a JSON text's [`Value`]. Counts what begins a value outside of strings; a text
/// that is not JSON is parsed no further than its first fault, and weighs at least what was parsed.
pub(crate) fn json_weight(text: &[u8]) -> usize {
    let mut weight = VALUE + text.len();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += 1;
        weight += match byte {
            b'"' => {
                at = string_end(text, at);
                ALLOCATION
            }
            b',' => GROWTH * VALUE,
            b':' => GROWTH * (MEMBER - VALUE + INDEX_ENTRY),
            b'[' if !closes(text, at, b']') => FIRST_CAPACITY * VALUE + ALLOCATION,
            b'{' if !closes(text, at, b'}') => FIRST_CAPACITY * (MEMBER + INDEX_ENTRY) + 2 * ALLOCATION,
            _ => 0,
        };
    }
    weight
}

/// An upper estimate of the bytes of a YAML text's [`Value`]. Counts what may begin a value, also within texts; what
/// aliases repeat is bounded by the reader.
pub(crate) fn yaml_weight(text: &[u8]) -> usize {
    let begins = text.iter().filter(|byte| matches!(byte, b'\n' | b',' | b':' | b'[' | b'{')).count();
    VALUE + text.len() + begins * (GROWTH * (MEMBER + INDEX_ENTRY) + ALLOCATION)
}

/// The place after the string that begins at `at`.
fn string_end(text: &[u8], mut at: usize) -> usize {
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// Whether the list or object that was just opened is empty.
fn closes(text: &[u8], at: usize, end: u8) -> bool {
    text.get(at..).unwrap_or_default().iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a value, with the room that its lists keep.
    fn actual(value: &Value) -> usize {
        VALUE
            + match value {
                Value::Null | Value::Bool(_) | Value::Number(_) => 0,
                Value::String(text) => text.capacity(),
                Value::Array(items) => {
                    (items.capacity() - items.len()) * VALUE + items.iter().map(actual).sum::<usize>()
                }
                Value::Object(members) => {
                    let room = members.len().next_power_of_two().max(FIRST_CAPACITY) - members.len();
                    let entry = MEMBER - VALUE + INDEX_ENTRY;
                    let members = members.iter().map(|(name, value)| name.capacity() + entry + actual(value));
                    usize::from(room < FIRST_CAPACITY) * room * MEMBER + members.sum::<usize>()
                }
            }
    }

    fn nested(unit: &str) -> String {
        format!(r#"{{"inputs":{{"a":[{}]}}}}"#, vec![unit; 10_000].join(","))
    }

    #[test]
    fn weight_is_at_least_what_the_value_takes() {
        let many = format!("{{{}}}", (0..5_000).map(|n| format!(r#""{n}":{n}"#)).collect::<Vec<_>>().join(","));
        for text in [
            nested("[]"),
            nested("{}"),
            nested("[0]"),
            nested(r#"{"":0}"#),
            nested(r#"[[["a"]]]"#),
            nested(r#""x""#),
            nested("1.5"),
            nested(" { } "),
            nested(r#"{"a":1,"b":2,"c":3,"d":4,"e":5}"#),
            many,
            "[]".to_owned(),
            "7".to_owned(),
        ] {
            let value: Value = serde_json::from_str(&text).unwrap();
            let (weight, actual) = (json_weight(text.as_bytes()), actual(&value));
            assert!(weight >= actual, "{text:.40}: {weight} < {actual}");
            assert!(weight <= 6 * actual + 4_096, "{text:.40}: {weight} is far more than {actual}");
        }
    }

    #[test]
    fn marks_inside_strings_weigh_nothing_more() {
        let prose = format!(r#"{{"query":"{}"}}"#, r#"a, [b]: {c} \"d\" \\"#.repeat(1_000));
        assert!(json_weight(prose.as_bytes()) < prose.len() + 4_096);
        for broken in [r#"{"a"#, r#""\"#, "\"\\", "[", "{", ""] {
            assert!(json_weight(broken.as_bytes()) < 4_096);
        }
    }
}
