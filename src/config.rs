//! The whole environment, parsed once into typed sections before anything binds (contract section 13).
//!
//! Names are Dify's own where they exist. Every fault is collected, names its variable and the fix, and quotes no secret.

pub(crate) mod console;
pub(crate) mod cors;
pub(crate) mod data_dir;
pub(crate) mod database;
mod describe;
pub(crate) mod dify_api;
pub(crate) mod enterprise;
mod environment;
mod limits;
pub(crate) mod listeners;
pub(crate) mod memory;
pub(crate) mod mode;
pub(crate) mod oauth;
pub(crate) mod reader;
pub(crate) mod redis;
pub(crate) mod runtime;
pub(crate) mod secrets;
pub(crate) mod telemetry;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
pub(crate) mod urls;

pub use self::environment::Config;
pub(crate) use self::{
    data_dir::DataDirLock,
    environment::DevOptions,
    reader::{Env, Problems, process_env},
};
