//! A wire-compatible `google.protobuf.Struct` that keeps member order and integers on the JSON door. Over gRPC members
//! are unordered and every number is a double.

mod reader;
mod value;
pub(crate) mod weight;

use std::{fmt, sync::OnceLock};

use bytes::{Buf, BufMut, Bytes};
use prost::{
    DecodeError, Message,
    encoding::{DecodeContext, WireType},
};
use prost_types::Struct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, value::RawValue};

use self::value::{json, proto_struct};

/// Limit of nested objects and lists over gRPC. Protobuf readers reject more than 100 nested messages, and each object
/// of a Struct is three. Deeper values are sent as their JSON text.
const DEPTH_MAX: usize = 30;

/// A JSON object.
#[derive(Clone, Default)]
pub struct Object {
    json: Json,
    /// The encoded Struct, cached because prost requests the length before the bytes.
    wire: OnceLock<Bytes>,
}

#[derive(Clone, PartialEq)]
enum Json {
    Members(Map<String, Value>),
    /// JSON text that is parsed only over gRPC.
    Text(Bytes),
}

impl Default for Json {
    fn default() -> Self {
        Self::Members(Map::new())
    }
}

impl From<Map<String, Value>> for Object {
    fn from(members: Map<String, Value>) -> Self {
        Self { json: Json::Members(members), wire: OnceLock::new() }
    }
}

impl From<Bytes> for Object {
    /// Does not parse the text.
    fn from(text: Bytes) -> Self {
        Self { json: Json::Text(text), wire: OnceLock::new() }
    }
}

impl Object {
    /// The members. Text that is not an object has none.
    pub fn into_members(self) -> Map<String, Value> {
        match self.json {
            Json::Members(members) => members,
            Json::Text(text) => serde_json::from_slice(&text).unwrap_or_default(),
        }
    }

    pub fn into_text(self) -> Bytes {
        match self.json {
            Json::Members(members) => Value::Object(members).to_string().into(),
            Json::Text(text) => text,
        }
    }

    fn wire(&self) -> &Bytes {
        self.wire.get_or_init(|| {
            let proto = match &self.json {
                Json::Members(members) => proto_struct(members, DEPTH_MAX),
                Json::Text(text) => reader::read(text, DEPTH_MAX).unwrap_or_default(),
            };
            proto.encode_to_vec().into()
        })
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl fmt::Debug for Object {
    /// Prints no content, which may be personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Object")
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.json {
            Json::Members(members) => members.serialize(serializer),
            Json::Text(text) => {
                let raw: &RawValue = serde_json::from_slice(text).map_err(serde::ser::Error::custom)?;
                raw.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Self::from)
    }
}

impl Message for Object {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        buffer.put_slice(self.wire());
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
        *self = members.into();
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        self.wire().len()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
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
        let text = Object::from(Bytes::from_static(br#"{"z":1,"a":9007199254740993,"n":1.10}"#));
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
    fn what_lies_deeper_than_readers_go_is_told_as_text() {
        for depth in [DEPTH_MAX, DEPTH_MAX + 1, 200, 20_000] {
            let lists = depth - 1;
            let text = format!(r#"{{"a":{}7{},"b":1}}"#, "[".repeat(lists), "]".repeat(lists));
            let mut passing = vec![Object::from(Bytes::from(text.clone()))];
            if depth < 100 {
                passing.push(serde_json::from_str(&text).unwrap());
            }
            for object in passing {
                let read = Struct::decode(object.encode_to_vec().as_slice()).unwrap();
                let back = Object::decode(read.encode_to_vec().as_slice()).unwrap().into_members();
                assert_eq!(back["b"], json!(1));
                let mut innermost = &back["a"];
                while let Value::Array(items) = innermost {
                    innermost = &items[0];
                }
                let deeper = depth.saturating_sub(DEPTH_MAX);
                let rest = format!("{}7{}", "[".repeat(deeper), "]".repeat(deeper));
                assert_eq!(*innermost, if deeper == 0 { json!(7) } else { json!(rest) });
            }
        }
    }
}
