//! Converts between protos and the domain: one implementation of every service, called by both doors.

mod about;
pub(crate) mod app;
mod app_run;
pub(crate) mod catalog;
pub(crate) mod connection;
mod connection_console;
pub(crate) mod console;
mod console_app;
pub(crate) mod convert;
pub(crate) mod device_flow;
mod dsl;
mod error_hint;
pub(crate) mod external_app;
pub(crate) mod file;
mod hint;
mod identity;
pub(crate) mod json;
mod member;
pub(crate) mod meta;
#[allow(clippy::all, clippy::pedantic, dead_code, unreachable_pub, reason = "generated")]
pub mod proto;
pub(crate) mod reply;
pub(crate) mod request;
mod run;
mod services;
pub(crate) mod session;
mod setup;
mod single_sign_on;
pub(crate) mod status;
mod tag;
pub(crate) mod timestamp;
pub(crate) mod token;
pub(crate) mod typed_event;
pub(crate) mod workspace;

pub(crate) use self::{
    about::About,
    services::{Rpc, Services},
};
