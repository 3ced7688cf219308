//! What the Structs of an encoded message take once they are decoded and converted, estimated before they are decoded.

use bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};
use prost_types::Value as Proto;

use crate::memory::weight::{ALLOCATION, FIRST_CAPACITY, GROWTH, INDEX_ENTRY, MEMBER, VALUE};

/// Structs lie within each other at most this deep; prost rejects what lies deeper.
const MAX_DEPTH: usize = 100;
/// A value in a list, as a Struct has it and as JSON.
const ITEM: usize = size_of::<Proto>() + VALUE;
/// A node of a B-tree holds up to eleven members and is allocated for the first.
const TREE_NODE: usize = 11 * (size_of::<String>() + size_of::<Proto>()) + ALLOCATION;
/// A member of a Struct in nodes that are half full, and of the JSON object that it becomes.
const ENTRY: usize = GROWTH * (size_of::<String>() + size_of::<Proto>() + MEMBER + INDEX_ENTRY);

/// An upper estimate of the bytes of the Structs in these fields. An invalid message is decoded no further than its
/// first fault, and weighs at least what was decoded.
pub(crate) fn structs_weight(message: &[u8], fields: &[u32]) -> usize {
    let mut weight = message.len();
    each_field(message, |number, content| {
        if fields.contains(&number) {
            weight = weight.saturating_add(struct_weight(content, MAX_DEPTH));
        }
    });
    weight
}

/// `Struct`: field 1 is a map, whose entries have the name as field 1 and the value as field 2.
fn struct_weight(content: &[u8], depth: usize) -> usize {
    let mut weight = TREE_NODE + FIRST_CAPACITY * (MEMBER + INDEX_ENTRY) + ALLOCATION;
    each_field(content, |_, entry| {
        weight += ENTRY + ALLOCATION;
        each_field(entry, |number, value| {
            if number == 2 {
                weight += value_weight(value, depth);
            }
        });
    });
    weight
}

/// `Value`: field 3 is a string, field 5 a Struct, field 6 a `ListValue`, whose field 1 holds the values.
fn value_weight(content: &[u8], depth: usize) -> usize {
    let Some(depth) = depth.checked_sub(1) else { return 0 };
    let mut weight = 0;
    each_field(content, |number, inner| match number {
        5 => weight += struct_weight(inner, depth),
        6 => {
            weight += FIRST_CAPACITY * ITEM + GROWTH * ALLOCATION;
            each_field(inner, |_, item| weight += GROWTH * ITEM + value_weight(item, depth));
        }
        _ => weight += ALLOCATION,
    });
    weight
}

/// Calls `each` with the number and the content of every length-delimited field, up to the first fault.
fn each_field(mut message: &[u8], mut each: impl FnMut(u32, &[u8])) {
    while message.has_remaining() {
        let Ok((number, wire_type)) = decode_key(&mut message) else { return };
        let skipped = match wire_type {
            WireType::Varint => {
                if decode_varint(&mut message).is_err() {
                    return;
                }
                0
            }
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => {
                let Ok(length) = decode_varint(&mut message) else { return };
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                // A field that is cut off is decoded as far as it goes.
                let content = message.get(..length).unwrap_or(message);
                each(number, content);
                content.len()
            }
            WireType::StartGroup | WireType::EndGroup => return,
        };
        let Some(rest) = message.get(skipped..) else { return };
        message = rest;
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::{ListValue, Struct, value::Kind};

    use super::*;

    const FIELD: u32 = 3;

    /// A message whose field is a Struct with one list of a thousand of these values.
    fn message(value: &Proto) -> Vec<u8> {
        let list = Kind::ListValue(ListValue { values: vec![value.clone(); 1_000] });
        let fields = [("a".to_owned(), Proto { kind: Some(list) })].into();
        let mut message = Vec::new();
        prost::encoding::message::encode(FIELD, &Struct { fields }, &mut message);
        message
    }

    fn object(members: usize) -> Proto {
        let member = |n: usize| (n.to_string(), Proto { kind: Some(Kind::NullValue(0)) });
        Proto { kind: Some(Kind::StructValue(Struct { fields: (0..members).map(member).collect() })) }
    }

    #[test]
    fn values_weigh_what_they_become() {
        let list = Proto { kind: Some(Kind::ListValue(ListValue { values: vec![Proto { kind: None }] })) };
        for (value, least) in [
            (Proto { kind: None }, ITEM),
            (list, ITEM * (1 + FIRST_CAPACITY)),
            (object(1), ITEM + TREE_NODE + FIRST_CAPACITY * MEMBER),
            (object(20), ITEM + TREE_NODE + 20 * (MEMBER + size_of::<Proto>())),
        ] {
            let message = message(&value);
            let weight = structs_weight(&message, &[FIELD]);
            assert!(weight >= 1_000 * least, "{weight} < {}", 1_000 * least);
            assert_eq!(structs_weight(&message, &[]), message.len());
            let cut = structs_weight(&message[..message.len() - 1], &[FIELD]);
            assert!(cut >= 999 * least, "a broken message is decoded up to its fault");
        }
    }

    #[test]
    fn text_weighs_its_length() {
        let text = Proto { kind: Some(Kind::StringValue("zzzz".repeat(100_000))) };
        let fields = [("a".to_owned(), text)].into();
        let mut message = Vec::new();
        prost::encoding::message::encode(FIELD, &Struct { fields }, &mut message);
        assert!(structs_weight(&message, &[FIELD]) < message.len() + 4_096);
        assert_eq!(structs_weight(&Struct::default().encode_to_vec(), &[FIELD]), 0);
    }
}
