//! The implementations of `ports::runtime`: the built-in runtime, and Dify's service API.

pub(crate) mod builtin;
pub(crate) mod dify;
pub(crate) mod outbound;
pub(crate) mod unavailable;
