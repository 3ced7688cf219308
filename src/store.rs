//! Storage: SQL for what outlives the process, the state stores for what expires, the file store for contents of files.

pub(crate) mod files;
mod observed;
pub(crate) mod sql;
pub(crate) mod state;
