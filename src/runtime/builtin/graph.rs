//! A published graph, checked before it runs: every node has a known type and readable data, every edge connects
//! nodes of the same level, there is one start and no cycle. The DSL import runs the same checks.
//!
//! This is the static half of a run; `engine` is the other.

pub(crate) mod file_uploads;
pub(crate) mod index;
pub(crate) mod limits;
pub(crate) mod node;
pub(crate) mod node_data;
pub(crate) mod parse;
pub(crate) mod plugin_tools;
pub(crate) mod topology;
pub(crate) mod unsupported;

mod data_error;
mod error;
mod levels;

mod raw;

#[cfg(test)]
mod tests;
