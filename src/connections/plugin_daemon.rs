//! Dify's plugin daemon, which runs the plugins of providers: their OAuth (contract K1) and their tools (contract K5).
//!
//! The daemon is an internal service that the operator configures, so requests to it are not guarded like those to
//! providers. Its answers are bounded and checked, because a plugin is other people's code.

mod answer;
pub(crate) mod backend;
mod client;
mod line_buffer;
mod lines;
mod plugin_error;
pub(crate) mod tools;

pub(crate) use self::client::{PluginDaemonClient, PluginDaemonSettings};
