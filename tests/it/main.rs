//! Tests over real sockets, laid out like the routes. One binary, so that it links once.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails; clippy knows it of test functions, not of what they share"
)]

mod account;
mod browser;
mod new_user;
mod support;
