//! What the nodes of a graph read and write: selectors, texts with references in them, and the pool they resolve against.

pub(crate) mod kind;
pub(crate) mod pool;
pub(crate) mod selector;
pub(crate) mod text;
pub(crate) mod value;

pub(crate) use kind::{Types, ValueType};
pub(crate) use pool::{Budget, Pool, ScopeId, SystemVariables, View};
pub(crate) use selector::Selector;
pub(crate) use text::{Piece, Text};

#[cfg(test)]
mod tests;
