//! The use cases, on top of the domain, the ports and the SQL store. They depend on neither HTTP nor gRPC.

pub(crate) mod app;
pub(crate) mod bearer;
pub(crate) mod console;
pub(crate) mod context;
pub(crate) mod device_flow;
pub(crate) mod identity;
pub(crate) mod invalidation;
pub(crate) mod last_used;
pub(crate) mod license;
pub(crate) mod password;
pub(crate) mod rate_limiter;
pub(crate) mod run;
pub(crate) mod session;
mod session_mint;
pub(crate) mod single_sign_on;
pub(crate) mod token_issuer;
pub(crate) mod token_lifetime;

mod uncancelled;
mod user_code_attempt;
