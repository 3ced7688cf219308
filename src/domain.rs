//! The domain: ids, secrets, subjects, scopes, apps, the state machine of grants, and the error type. No async, no
//! HTTP, no SQL.

pub(crate) mod access_mode;
pub(crate) mod account;
pub(crate) mod app;
pub(crate) mod branding;
pub(crate) mod browser_session;
pub(crate) mod caller;
pub(crate) mod client;
pub(crate) mod client_commands;
pub(crate) mod connection;
pub(crate) mod conversation;
pub(crate) mod cookie;
pub(crate) mod deletion;
pub(crate) mod device_handle;
pub(crate) mod email;
pub(crate) mod error;
pub(crate) mod file;
pub(crate) mod grant;
pub(crate) mod human_form;
pub(crate) mod id;
pub(crate) mod key;
pub(crate) mod known_browser;
pub(crate) mod last_use;
pub(crate) mod limit;
pub(crate) mod login_limit;
pub(crate) mod member;
pub(crate) mod oauth_client;
pub(crate) mod operator_event;
pub(crate) mod page;
pub(crate) mod postgres_hosts;
pub(crate) mod recorded_decision;
pub(crate) mod request_origin;
pub(crate) mod scope;
pub(crate) mod secret;
pub(crate) mod sentence;
pub(crate) mod session;
pub(crate) mod setup;
pub(crate) mod sign_in_hint;
pub(crate) mod stored;
pub(crate) mod stored_run;
pub(crate) mod subject;
pub(crate) mod text;
pub(crate) mod user_code;
pub(crate) mod violations;
pub(crate) mod workspace;

// Shorter paths for other parts of the crate. Files of this folder use `error` itself.
pub use error::Code;
pub(crate) use error::{Error, Result};
