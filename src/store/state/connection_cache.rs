//! `ConnectionCache` in Redis.

mod entry;
mod redis;

#[cfg(test)]
mod conformance;
