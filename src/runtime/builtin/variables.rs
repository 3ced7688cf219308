//! What the nodes of a graph read and write: selectors, texts with references in them, and the pool they resolve against.

pub mod kind;
pub mod pool;
pub mod selector;
pub mod text;
pub mod value;

pub use kind::{Types, ValueType};
pub use pool::{Budget, Pool, ScopeId, SystemVariables, View};
pub use selector::Selector;
pub use text::{Piece, Text};

#[cfg(test)]
mod tests;
