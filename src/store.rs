//! Where the service keeps what it knows: SQL for what lasts, a state store for what does not.

pub(crate) mod sql;
pub(crate) mod state;
