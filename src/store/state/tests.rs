//! What the conformance suites run on, and the tests that concern several ports.

pub(super) mod backend;
mod confirmations;
mod health;
mod reconnect;
mod redis_server;
pub(super) mod samples;
mod secrecy;
