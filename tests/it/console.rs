//! `/console/api/*`: the browser session of a standalone server.

mod lockout;
mod login;
mod profile;
mod refresh;
