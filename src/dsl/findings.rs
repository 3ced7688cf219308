//! What is wrong with an app that can be imported.

use super::error::DslError;

/// What follows from a part that is not supported here.
pub(super) const EVERY_RUN: &str = "every run will be refused";

#[derive(Default)]
pub(super) struct Findings {
    /// Whether the tools of plugins can be invoked.
    pub has_plugin_daemon: bool,
    /// What keeps every run of the app from starting.
    pub unsupported: Vec<DslError>,
    /// What will not work as it stands.
    pub warnings: Vec<DslError>,
}

impl Findings {
    pub(super) fn new(has_plugin_daemon: bool) -> Self {
        Self { has_plugin_daemon, ..Self::default() }
    }
}
