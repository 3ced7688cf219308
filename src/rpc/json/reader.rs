//! Reads JSON text into a Struct without an intermediate value.

use std::{borrow::Cow, fmt};

use prost_types::{ListValue, Struct, Value as Proto, value::Kind};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::value::proto;

/// Reads an object with at most `depth` nested objects and lists; `None` for other text.
pub(super) fn read(text: &[u8], depth: usize) -> Option<Struct> {
    match Within(depth).deserialize(&mut serde_json::Deserializer::from_slice(text)).ok()?.kind? {
        Kind::StructValue(read) => Some(read),
        _ => None,
    }
}

/// Reads a value with at most this many nested objects and lists.
struct Within(usize);

impl<'de> DeserializeSeed<'de> for Within {
    type Value = Proto;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Proto, D::Error> {
        if self.0 > 0 {
            return deserializer.deserialize_any(self);
        }
        let text = <&RawValue>::deserialize(deserializer)?.get();
        if text.starts_with(['{', '[']) {
            return Ok(Proto { kind: Some(Kind::StringValue(text.to_owned())) });
        }
        serde_json::from_str(text).map(|value| proto(&value, 0)).map_err(serde::de::Error::custom)
    }
}

impl<'de> Visitor<'de> for Within {
    type Value = Proto;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Proto, E> {
        Ok(Proto { kind: Some(Kind::NullValue(0)) })
    }

    fn visit_bool<E>(self, value: bool) -> Result<Proto, E> {
        Ok(Proto { kind: Some(Kind::BoolValue(value)) })
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of a Struct are doubles")]
    fn visit_i64<E>(self, value: i64) -> Result<Proto, E> {
        Ok(Proto { kind: Some(Kind::NumberValue(value as f64)) })
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of a Struct are doubles")]
    fn visit_u64<E>(self, value: u64) -> Result<Proto, E> {
        Ok(Proto { kind: Some(Kind::NumberValue(value as f64)) })
    }

    fn visit_f64<E>(self, value: f64) -> Result<Proto, E> {
        Ok(Proto { kind: Some(Kind::NumberValue(value)) })
    }

    fn visit_str<E>(self, text: &str) -> Result<Proto, E> {
        Ok(Proto { kind: Some(Kind::StringValue(text.to_owned())) })
    }

    fn visit_string<E>(self, text: String) -> Result<Proto, E> {
        Ok(Proto { kind: Some(Kind::StringValue(text)) })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Proto, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Self(self.0 - 1))? {
            values.push(value);
        }
        Ok(Proto { kind: Some(Kind::ListValue(ListValue { values })) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Proto, A::Error> {
        let mut read = Struct::default();
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            read.fields.insert(name.into_owned(), members.next_value_seed(Self(self.0 - 1))?);
        }
        Ok(Proto { kind: Some(Kind::StructValue(read)) })
    }
}
