//! The two implementations of `ports::state::State`, held to one another by one conformance suite.

pub mod memory;
pub mod redis;

#[cfg(test)]
mod conformance;
