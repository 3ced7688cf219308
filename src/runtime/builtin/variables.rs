//! The variables of a run: their values and types, the selectors that address them, and texts that refer to them.

pub(crate) mod budget;
pub(crate) mod pool;
pub(crate) mod selector;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod value;
pub(crate) mod value_type;

mod python;
