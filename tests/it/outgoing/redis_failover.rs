//! Redis fails over while people sign in, use tokens and revoke them.

mod cluster;
mod sentinels;
mod traffic;
