//! `/console/api/*`: the browser sessions of a standalone server.

mod lockout;
mod login;
mod profile;
mod refresh;
