//! Tests over real sockets, laid out like the routes. One binary, so that it links once.

mod account;
mod browser;
mod new_user;
mod support;
