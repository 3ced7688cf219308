//! `ConnectionCache` in this process and in Redis.

mod entry;
pub(super) mod memory;
mod redis;

#[cfg(test)]
mod conformance;
