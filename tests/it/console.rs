//! `/console/api/*`: the browser sessions of a standalone server.

mod login;
mod login_limits;
mod profile;
mod refresh;
