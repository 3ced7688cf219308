//! The built-in runtime: runs what Dify's DSL describes, in this process.

pub mod model;
