//! Where the service keeps what it knows: SQL for what lasts, a state store for what does not.

pub mod sql;
pub mod state;
