//! What the conformance suites run on, and the tests that concern several ports.

pub(super) mod backend;
mod health;
mod reconnect;
pub(super) mod samples;
mod secrecy;
