//! Storage: SQL for what outlives the process, the state stores for what expires.

pub(crate) mod sql;
pub(crate) mod state;
