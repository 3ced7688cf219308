//! What a deletion of apps deletes.

use super::id::{AppId, WorkspaceId};

/// The apps that are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletedApps {
    One(AppId),
    OfWorkspace(WorkspaceId),
}

/// Numbers of rows that are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletionCounts {
    pub apps: u64,
    pub conversations: u64,
    pub runs: u64,
    /// Of a workspace that is deleted.
    pub connections: u64,
}
