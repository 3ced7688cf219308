//! The use cases, on top of the domain, the ports and the SQL store. They depend on neither HTTP nor gRPC.

pub(crate) mod app;
pub(crate) mod app_export;
pub(crate) mod app_import;
pub(crate) mod bearer;
mod browser_marks;
pub(crate) mod connections;
pub(crate) mod console;
pub(crate) mod console_apps;
pub(crate) mod context;
pub(crate) mod device_flow;
pub(crate) mod file;
mod file_owner;
pub(crate) mod identity;
pub(crate) mod invalidation;
pub(crate) mod last_used;
pub(crate) mod license;
pub(crate) mod member;
pub(crate) mod operator_events;
pub(crate) mod password;
pub(crate) mod rate_limiter;
pub(crate) mod run;
pub(crate) mod session;
mod session_mint;
pub(crate) mod setup;
pub(crate) mod single_sign_on;
pub(crate) mod tags;
pub(crate) mod token_issuer;
pub(crate) mod token_lifetime;

mod uncancelled;
mod user_code_attempt;
