//! The built-in runtime: runs what Dify's DSL describes, in this process.

pub mod memory;
pub mod model;
pub mod prompt_app;
