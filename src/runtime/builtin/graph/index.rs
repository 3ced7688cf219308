//! Indices into a graph.

/// Index of a node in its graph.
pub(crate) type NodeIx = usize;
/// Index of an edge in its graph.
pub(crate) type EdgeIx = usize;
/// Index of a level in its graph: 0 is the graph itself, the others are the contents of iterations.
pub(crate) type LevelIx = usize;
