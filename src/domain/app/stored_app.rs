//! Apps as they are stored, before the caller's access to them is checked.

use chrono::{DateTime, Utc};

use super::{
    definition::Definition,
    mode::{AppMode, AppStatus},
};
use crate::domain::{
    access_mode::AccessMode,
    id::{AppId, WorkflowId, WorkspaceId},
    stored::StoredValue,
};

/// How much of an app is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppDetail {
    /// The app's row, with its author and tags.
    Outline,
    /// The outline and the published definition.
    Published,
    /// The published definition, for a run. Author and tags are not read.
    Run,
    /// One version of the app's graph, for a run. Drafts are not found.
    Version(WorkflowId),
}

/// An app in any state.
#[derive(Clone, Debug)]
pub struct StoredApp {
    pub id: AppId,
    pub workspace_id: WorkspaceId,
    pub name: String,
    /// Dify stores modes that cannot be run, too.
    pub mode: StoredValue<AppMode>,
    pub description: String,
    /// The name of the account that created the app, if it still exists. Not read for a run.
    pub author_name: Option<String>,
    /// Names of the app's tags, sorted. Not read for a run.
    pub tags: Vec<String>,
    pub updated_at: DateTime<Utc>,
    pub status: StoredValue<AppStatus>,
    /// Whether the app may be called over an API.
    pub enable_api: bool,
    /// Limit of concurrent runs; `None` and 0 mean no limit.
    pub max_active_requests: Option<u32>,
    /// The access mode that an operator has set here. Dify Enterprise keeps its own.
    pub access_mode: Option<StoredValue<AccessMode>>,
    /// Whether the model configuration enables agent mode.
    pub agent_enabled: bool,
    /// The definition, if `AppDetail` includes it and it exists.
    pub definition: Option<Definition>,
}

impl StoredApp {
    /// The app, if its mode can be run.
    pub fn runnable(&self) -> Option<App> {
        Some(App {
            id: self.id,
            workspace_id: self.workspace_id,
            mode: self.mode.known()?,
            max_active_requests: self.max_active_requests,
        })
    }
}

/// An app that can be run.
#[derive(Clone, Debug)]
pub struct App {
    pub id: AppId,
    pub workspace_id: WorkspaceId,
    pub mode: AppMode,
    /// Limit of concurrent runs; `None` and 0 mean no limit.
    pub max_active_requests: Option<u32>,
}
