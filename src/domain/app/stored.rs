//! An app as it is stored, before anybody has judged whether the caller may know of it.

use chrono::{DateTime, Utc};

use super::{App, AppMode, Definition};
use crate::domain::id::{AppId, WorkflowId, WorkspaceId};

/// How much of an app is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppDetail {
    /// Its row.
    Outline,
    /// Its row and what is published.
    Published,
    /// What is published, to be run.
    Run,
    /// This version of its graph, which may be any but the draft, to be run.
    Version(WorkflowId),
}

/// An app as it is stored, in whatever state.
#[derive(Clone, Debug)]
pub struct StoredApp {
    /// Its id.
    pub id: AppId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Display name.
    pub name: String,
    /// Its mode, which may be one that has no run.
    pub mode: String,
    /// Empty when there is none.
    pub description: String,
    /// The name of the account that made it; not read of what is to be run.
    pub author_name: Option<String>,
    /// Names of its tags, in order; not read of what is to be run.
    pub tags: Vec<String>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Whether it is `normal`.
    pub is_normal: bool,
    /// Whether it may be called.
    pub enable_api: bool,
    /// Runs at the same time at most.
    pub max_active_requests: Option<u32>,
    /// Whether its model configuration enables agent mode.
    pub agent_enabled: bool,
    /// What it does, if that was wanted and there is anything.
    pub definition: Option<Definition>,
}

impl StoredApp {
    /// The app, if its mode is one that has a run.
    pub fn runnable(&self) -> Option<App> {
        Some(App {
            id: self.id,
            workspace_id: self.workspace_id,
            mode: AppMode::parse(&self.mode)?,
            max_active_requests: self.max_active_requests,
        })
    }
}
