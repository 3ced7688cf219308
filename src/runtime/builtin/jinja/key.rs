//! Keys of dicts: hashable values, equal as in Python, where `1`, `1.0` and `True` are one key.

use std::{
    hash::{Hash, Hasher},
    rc::Rc,
};

use super::text::PyText;

#[derive(Clone, Debug)]
pub(super) enum DictKey {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(PyText),
    Tuple(Rc<[DictKey]>),
}

/// What two equal keys have in common.
#[derive(PartialEq, Eq, Hash)]
enum Canonical<'a> {
    None,
    Int(i128),
    Float(u64),
    Text(&'a str),
    Tuple(&'a [DictKey]),
}

impl DictKey {
    fn canonical(&self) -> Canonical<'_> {
        match self {
            Self::None => Canonical::None,
            Self::Bool(truth) => Canonical::Int((*truth).into()),
            Self::Int(number) => Canonical::Int(*number),
            Self::Float(number) => whole(*number).map_or_else(|| Canonical::Float(number.to_bits()), Canonical::Int),
            Self::Text(text) => Canonical::Text(text),
            Self::Tuple(items) => Canonical::Tuple(items),
        }
    }
}

/// The integer that equals a float.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
pub(super) fn whole(number: f64) -> Option<i128> {
    (number.fract() == 0.0 && number.abs() < 1e38).then_some(number as i128)
}

impl PartialEq for DictKey {
    fn eq(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }
}

impl Eq for DictKey {}

impl Hash for DictKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical().hash(state);
    }
}

/// Looks up a text without a key of its own.
pub(super) struct TextKey<'a>(pub &'a str);

impl Hash for TextKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Canonical::Text(self.0).hash(state);
    }
}

impl indexmap::Equivalent<DictKey> for TextKey<'_> {
    fn equivalent(&self, key: &DictKey) -> bool {
        matches!(key, DictKey::Text(text) if **text == *self.0)
    }
}
