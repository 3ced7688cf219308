//! The types that an app declares the variables of its conversations with.

use std::{collections::HashMap, fmt};

use serde_json::{Map, Value};

/// Declared types, by the names of their variables.
pub(crate) type DeclaredTypes = HashMap<String, ValueType>;

/// A type, as Dify's variables have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueType {
    String,
    Number,
    Boolean,
    Object,
    ArrayAny,
    ArrayString,
    ArrayNumber,
    ArrayBoolean,
    ArrayObject,
    /// Not declared.
    Any,
}

impl ValueType {
    /// The type of this name; `None` of one that conversations do not have.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "string" | "secret" => Self::String,
            "number" | "integer" | "float" => Self::Number,
            "boolean" => Self::Boolean,
            "object" => Self::Object,
            "array" | "array[any]" => Self::ArrayAny,
            "array[string]" => Self::ArrayString,
            "array[number]" => Self::ArrayNumber,
            "array[boolean]" => Self::ArrayBoolean,
            "array[object]" => Self::ArrayObject,
            _ => return None,
        })
    }

    /// The type of a value that is not declared; null may become anything.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Any,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::ArrayAny,
            Value::Object(_) => Self::Object,
        }
    }

    /// What the items of a list are; `None` for anything but a list.
    pub(crate) fn items(self) -> Option<Self> {
        match self {
            Self::ArrayAny => Some(Self::Any),
            Self::ArrayString => Some(Self::String),
            Self::ArrayNumber => Some(Self::Number),
            Self::ArrayBoolean => Some(Self::Boolean),
            Self::ArrayObject => Some(Self::Object),
            _ => None,
        }
    }

    /// Whether a variable of this type can have this value.
    pub(crate) fn holds(self, value: &Value) -> bool {
        match (self.items(), value) {
            (Some(item), Value::Array(items)) => items.iter().all(|value| item.holds(value)),
            (Some(_), _) => false,
            (None, value) => self == Self::Any || self == Self::of(value),
        }
    }

    /// What a variable of this type is when it is cleared.
    pub(crate) fn empty(self) -> Value {
        match self {
            Self::Any => Value::Null,
            Self::String => "".into(),
            Self::Number => 0.into(),
            Self::Boolean => false.into(),
            Self::Object => Value::Object(Map::new()),
            _ => Value::Array(Vec::new()),
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Object => "object",
            Self::ArrayAny => "array[any]",
            Self::ArrayString => "array[string]",
            Self::ArrayNumber => "array[number]",
            Self::ArrayBoolean => "array[boolean]",
            Self::ArrayObject => "array[object]",
            Self::Any => "none",
        })
    }
}
