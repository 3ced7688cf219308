//! The built-in runtime: runs what Dify's DSL describes, in this process.

pub mod engine;
pub mod graph;
pub mod memory;
pub mod model;
pub mod nodes;
pub mod prompt_app;
pub mod template;
pub mod variables;
