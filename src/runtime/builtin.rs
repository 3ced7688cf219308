//! The built-in runtime: runs what Dify's DSL describes, in this process.

pub mod engine;
pub mod graph;
pub mod model;
pub mod nodes;
pub mod template;
pub mod variables;
