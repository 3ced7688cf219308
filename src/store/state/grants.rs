//! `GrantStore` in this process and in Redis.

mod decision_text;
pub(super) mod memory;
mod redis;

#[cfg(test)]
mod conformance;
