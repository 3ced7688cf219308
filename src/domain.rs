//! The domain: ids, secrets, subjects, scopes, apps, the state machine of grants, and the error type. No async, no HTTP,
//! no SQL.

pub(crate) mod account;
pub mod app;
pub(crate) mod browser_session;
pub mod caller;
pub(crate) mod conversation;
pub(crate) mod cookie;
pub(crate) mod error;
pub mod grant;
pub mod id;
pub mod key;
pub(crate) mod limit;
pub(crate) mod page;
pub(crate) mod scope;
pub mod secret;
pub(crate) mod session;
pub(crate) mod stored;
pub mod subject;
pub mod user_code;
pub(crate) mod workspace;

// Shorter paths for other parts of the crate. Files of this folder use `error` itself.
pub use error::Code;
pub(crate) use error::{Error, Result};
