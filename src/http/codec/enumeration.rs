//! Serializes enum fields as the strings of the contract.

use serde::{Serialize, Serializer};

/// An enum with JSON names. Implementations are generated.
pub(crate) trait JsonEnum: TryFrom<i32> {
    fn json_name(self) -> &'static str;
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `serialize_with` passes a reference")]
pub(crate) fn required<E: JsonEnum, S: Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
    name::<E>(*value).serialize(serializer)
}

#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's `serialize_with` passes a reference"
)]
pub(crate) fn optional<E: JsonEnum, S: Serializer>(value: &Option<i32>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(name::<E>).serialize(serializer)
}

fn name<E: JsonEnum>(value: i32) -> &'static str {
    E::try_from(value).map_or("", E::json_name)
}
