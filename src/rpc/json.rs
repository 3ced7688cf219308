//! `google.protobuf.Struct`, wire-compatible with the original, over JSON that keeps its order and its integers on the
//! JSON door. Over gRPC it is what a Struct is: unordered, every number a double.

use std::fmt;

use bytes::{Buf, BufMut, Bytes};
use prost::{
    DecodeError, Message,
    encoding::{DecodeContext, WireType},
};
use prost_types::{ListValue, Struct, Value as Proto, value::Kind};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Number, Value, value::RawValue};

/// Whole numbers beyond this are not exact as doubles.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A JSON object.
#[derive(Clone, PartialEq)]
pub enum Object {
    /// Its members.
    Members(Map<String, Value>),
    /// Its text, for objects that only pass through: read where it has to be, over gRPC.
    Text(Bytes),
}

impl Object {
    /// Its members; a text that is not an object has none.
    pub fn into_members(self) -> Map<String, Value> {
        match self {
            Self::Members(members) => members,
            Self::Text(text) => serde_json::from_slice(&text).unwrap_or_default(),
        }
    }

    /// Its text.
    pub fn into_text(self) -> Bytes {
        match self {
            Self::Members(members) => Value::Object(members).to_string().into(),
            Self::Text(text) => text,
        }
    }

    fn to_proto(&self) -> Struct {
        proto_struct(self.clone().into_members())
    }
}

impl Default for Object {
    fn default() -> Self {
        Self::Members(Map::new())
    }
}

impl fmt::Debug for Object {
    /// It carries what people write: only its kind is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Object")
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Members(members) => members.serialize(serializer),
            Self::Text(text) => {
                let raw: &RawValue = serde_json::from_slice(text).map_err(serde::ser::Error::custom)?;
                raw.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Self::Members)
    }
}

impl Message for Object {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        self.to_proto().encode_raw(buffer);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        let mut field = Struct::default();
        field.merge_field(tag, wire_type, buffer, context)?;
        let mut members = std::mem::take(self).into_members();
        members.extend(field.fields.into_iter().map(|(name, value)| (name, json(value))));
        *self = Self::Members(members);
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        self.to_proto().encoded_len()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

fn proto_struct(members: Map<String, Value>) -> Struct {
    Struct { fields: members.into_iter().map(|(name, value)| (name, proto(value))).collect() }
}

fn proto(value: Value) -> Proto {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(value),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::StringValue(text),
        Value::Array(items) => Kind::ListValue(ListValue { values: items.into_iter().map(proto).collect() }),
        Value::Object(members) => Kind::StructValue(proto_struct(members)),
    };
    Proto { kind: Some(kind) }
}

fn json(value: Proto) -> Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(value),
        Some(Kind::NumberValue(number)) => number_of(number),
        Some(Kind::StringValue(text)) => Value::String(text),
        Some(Kind::ListValue(list)) => Value::Array(list.values.into_iter().map(json).collect()),
        Some(Kind::StructValue(inner)) => {
            Value::Object(inner.fields.into_iter().map(|(name, value)| (name, json(value))).collect())
        }
    }
}

/// Whole doubles are integers again, as JavaScript writes them. What is not a number in JSON is null.
fn number_of(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within the exact range")]
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_object_crosses_the_wire_as_a_struct() {
        let value = json!({"a": 1, "b": [1.5, "x", null, true, {"c": {}}], "large": -3, "text": "ü"});
        let bytes = object(value.clone()).encode_to_vec();
        let read = Struct::decode(bytes.as_slice()).unwrap();
        assert_eq!(read.encode_to_vec().len(), bytes.len());
        let back = Object::decode(bytes.as_slice()).unwrap();
        assert_eq!(Value::Object(back.into_members()), value);
    }

    #[test]
    fn text_passes_through_as_it_is_and_is_read_only_over_grpc() {
        let text = Object::Text(Bytes::from_static(br#"{"z":1,"a":9007199254740993,"n":1.10}"#));
        assert_eq!(serde_json::to_string(&text).unwrap(), r#"{"z":1,"a":9007199254740993,"n":1.10}"#);
        let read = Object::decode(text.encode_to_vec().as_slice()).unwrap().into_members();
        assert_eq!(read["z"], json!(1));
        assert_eq!(read["n"], json!(1.1));
    }

    #[test]
    fn order_and_integers_survive_json() {
        let text = r#"{"z":12345678901234567,"a":{"y":[],"b":null}}"#;
        let read: Object = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert_eq!(read.into_text(), text);
    }

    #[test]
    fn numbers_that_json_does_not_have_are_null() {
        for number in [f64::NAN, f64::INFINITY] {
            assert_eq!(number_of(number), Value::Null);
        }
        assert_eq!(number_of(2.0), json!(2));
        assert_eq!(number_of(1e300), json!(1e300));
    }
}
