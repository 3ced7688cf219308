//! Small traits for the parts of the service that have several implementations.
//!
//! SQL has no port: it has one implementation.

pub(crate) mod app_file_format;
pub(crate) mod clock;
pub(crate) mod connection_backend;
pub(crate) mod connection_cache;
pub(crate) mod credential_cache;
pub(crate) mod credential_cipher;
pub(crate) mod enterprise;
pub(crate) mod enterprise_cache;
pub(crate) mod entropy;
pub(crate) mod file_uploads;
pub(crate) mod grant_store;
pub(crate) mod identity_provider;
pub(crate) mod lease_store;
pub(crate) mod login_attempt_store;
pub(crate) mod nonce_store;
pub(crate) mod outgoing_certificates;
pub(crate) mod pending_import_store;
pub(crate) mod rate_limit_store;
pub(crate) mod redis_topology;
pub(crate) mod run_credentials;
pub(crate) mod run_event;
pub(crate) mod run_log_store;
pub(crate) mod runtime;
pub(crate) mod sign_in_service;
pub(crate) mod sql_pooling;
pub(crate) mod state_stores;
pub(crate) mod store_observer;
pub(crate) mod token_cache;
pub(crate) mod tool_invoker;
pub(crate) mod url_fetcher;
