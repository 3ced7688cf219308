//! What the nodes of a graph read and write: selectors, texts with references in them, and the pool they resolve against.

pub(crate) mod kind;
pub(crate) mod pool;
pub(crate) mod selector;
pub(crate) mod text;
pub(crate) mod value;

pub(crate) use kind::{DeclaredTypes, ValueType};
pub(crate) use pool::{ByteBudget, ScopeId, VariablePool, VariableView};
pub(crate) use selector::Selector;
pub(crate) use text::{TextPart, TextTemplate};

#[cfg(test)]
mod tests;
