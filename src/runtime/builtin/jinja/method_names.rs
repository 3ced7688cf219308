//! Which methods values have.

use super::value::{PyObject, PyValue};

/// Methods of `str`.
pub(super) const TEXT: [&str; 44] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "upper",
    "zfill",
];
/// Further methods of `Markup`.
const MARKUP: [&str; 2] = ["striptags", "unescape"];
pub(super) const LIST: [&str; 11] =
    ["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];
const TUPLE: [&str; 2] = ["count", "index"];
pub(super) const DICT: [&str; 11] =
    ["clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"];
const INT: [&str; 3] = ["bit_count", "bit_length", "conjugate"];
const FLOAT: [&str; 2] = ["conjugate", "is_integer"];
const LOOP: [&str; 2] = ["changed", "cycle"];
const CYCLER: [&str; 2] = ["next", "reset"];

/// Methods of Python's types that are not offered, because they have no use in templates or reach behind the values.
const REFUSED: [&str; 10] = [
    "as_integer_ratio",
    "encode",
    "from_bytes",
    "fromhex",
    "hex",
    "isdisjoint",
    "maketrans",
    "mro",
    "to_bytes",
    "translate",
];

/// Whether templates that call this method are refused.
pub(super) fn is_refused(name: &str) -> bool {
    REFUSED.contains(&name)
}

/// The name when the value has such a method.
pub(super) fn method_of(value: &PyValue, name: &str) -> Option<&'static str> {
    let tables: &[&'static [&'static str]] = match value {
        PyValue::Text(text) if text.markup => &[&TEXT, &MARKUP],
        PyValue::Text(_) => &[&TEXT],
        PyValue::List(_) => &[&LIST],
        PyValue::Tuple(_) | PyValue::Range(_) => &[&TUPLE],
        PyValue::Dict(_) => &[&DICT],
        PyValue::Int(_) | PyValue::Bool(_) => &[&INT],
        PyValue::Float(_) => &[&FLOAT],
        PyValue::Object(object) => match **object {
            PyObject::Loop(_) => &[&LOOP],
            PyObject::Cycler { .. } => &[&CYCLER],
            _ => return None,
        },
        _ => return None,
    };
    tables.iter().flat_map(|table| table.iter()).find(|known| **known == name).copied()
}
