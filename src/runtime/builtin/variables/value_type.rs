//! The types of conversation variables.

use std::{collections::HashMap, fmt};

use serde_json::{Map, Value};

/// Declared types by variable name.
pub(crate) type DeclaredTypes = HashMap<String, ValueType>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueType {
    String,
    Number,
    /// A number whose value at the start of the run is an integer.
    Integer,
    /// A number whose value at the start of the run is not an integer.
    Float,
    Boolean,
    Object,
    ArrayAny,
    ArrayString,
    ArrayNumber,
    ArrayBoolean,
    ArrayObject,
    /// Any type: the variable has no declaration.
    Any,
}

impl ValueType {
    /// Reads Dify's name of a type; `None` for a type that conversation variables cannot have.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
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

    /// The type of a value without a declaration; `Any` for null.
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

    /// The type of a variable that has this value at the start of a run: Dify has two types of numbers then.
    pub(crate) fn at_start(self, value: &Value) -> Self {
        match value {
            Value::Number(number) if self == Self::Number && number.is_f64() => Self::Float,
            Value::Number(_) if self == Self::Number => Self::Integer,
            _ => self,
        }
    }

    /// The type of the items of a list; `None` for types other than lists.
    pub(crate) fn item_type(self) -> Option<Self> {
        match self {
            Self::ArrayAny => Some(Self::Any),
            Self::ArrayString => Some(Self::String),
            Self::ArrayNumber => Some(Self::Number),
            Self::ArrayBoolean => Some(Self::Boolean),
            Self::ArrayObject => Some(Self::Object),
            _ => None,
        }
    }

    /// Whether a variable of this type may have the value.
    pub(crate) fn accepts(self, value: &Value) -> bool {
        match (self.item_type(), value) {
            (Some(item), Value::Array(items)) => items.iter().all(|value| item.accepts(value)),
            (Some(_), _) => false,
            (None, value) => match self {
                Self::Any => true,
                Self::Integer | Self::Float => value.is_number(),
                other => other == Self::of(value),
            },
        }
    }

    /// The value of a cleared variable.
    pub(crate) fn empty(self) -> Value {
        match self {
            Self::Any => Value::Null,
            Self::String => "".into(),
            Self::Number | Self::Integer => 0.into(),
            Self::Float => 0.0.into(),
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
            Self::Integer => "integer",
            Self::Float => "float",
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
