//! `PendingImportStore` in this process and in Redis.

pub(super) mod memory;
mod redis;

#[cfg(test)]
mod conformance;
