//! The two implementations of `ports::state::State`, held to one another by one conformance suite.

pub(crate) mod memory;
pub(crate) mod redis;

#[cfg(test)]
mod conformance;
