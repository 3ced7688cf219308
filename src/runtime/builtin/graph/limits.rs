//! Largest graph that is run.

/// Largest number of nodes of a graph.
pub(crate) const MAX_NODES: usize = 1000;
/// Largest number of edges of a graph.
pub(crate) const MAX_EDGES: usize = 5000;
/// Largest number of iterations inside each other.
pub(crate) const MAX_DEPTH: usize = 4;
