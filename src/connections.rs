//! What connections use outside this service: manifests, providers, and the encryption of their credentials at rest
//! (contract part 4).
//!
//! Decisions about who may do what are in `service::connections`.

mod answer_checks;
pub(crate) mod backends;
pub(crate) mod declarative;
pub(crate) mod dify_cipher;
pub(crate) mod manifest_file;
pub(crate) mod plugin_daemon;
pub(crate) mod presets;
pub(crate) mod standalone_cipher;
mod unreadable;
