//! Python's two ways to format values: `%` and `str.format`.

pub(super) mod numbers;
pub(super) mod printf;
pub(super) mod spec;
pub(super) mod template;
