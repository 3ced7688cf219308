//! The words of the product: ids, secrets, subjects, scopes, the grant's state machine, and the one error type.
//! Pure: no async, no HTTP, no SQL.

pub mod account;
pub mod app;
pub mod browser_session;
pub mod caller;
pub mod conversation;
pub mod cookie;
pub mod error;
pub mod grant;
pub mod id;
pub mod key;
pub mod limit;
pub mod page;
pub mod scope;
pub mod secret;
pub mod session;
pub mod subject;
pub mod user_code;

pub use error::{Code, Error, Result};
