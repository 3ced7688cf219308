//! The configuration: the environment, parsed once into typed sections before a listener binds (contract section 13).
//!
//! `settings.rs` declares every variable; Dify's names are used where they exist. Reading reports all problems
//! together, each with its variable and the fix, and without secrets.

mod branding;
pub(crate) mod client_certificates;
pub(crate) mod console;
pub(crate) mod cors;
pub(crate) mod data_dir;
pub(crate) mod database;
mod describe;
pub(crate) mod dify_api;
pub(crate) mod enterprise;
mod environment;
pub(crate) mod files;
mod limits;
pub(crate) mod listeners;
pub(crate) mod memory;
mod misspelled;
pub(crate) mod mode;
pub(crate) mod oauth;
mod otel_variables;
pub(crate) mod otlp;
pub(crate) mod plugin_daemon;
pub(crate) mod reader;
pub(crate) mod redis;
pub(crate) mod runtime;
pub(crate) mod sampling;
mod secret_strength;
pub(crate) mod secrets;
mod setting;
pub(crate) mod settings;
pub(crate) mod single_sign_on;
pub(crate) mod telemetry;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
pub(crate) mod urls;

pub use self::environment::Config;
pub(crate) use self::{
    data_dir::DataDirLock,
    environment::DevOptions,
    misspelled::misspelled,
    reader::{Env, Problems, process_env},
};
