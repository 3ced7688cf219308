//! Audit events of apps and tags that members change in the console.

use super::{TARGET, request_id};
use crate::domain::id::{AppId, TagId, WorkflowId, WorkspaceId};

/// A change in the console.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConsoleAppEvent<'a> {
    pub tenant_id: WorkspaceId,
    /// The email address of the signed-in account.
    pub subject: &'a str,
    pub kind: ConsoleAppEventKind,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ConsoleAppEventKind {
    /// `app.created`: a member created an app.
    Created { app: AppId },
    /// `app.api_changed`: a member made an app callable, or stopped that.
    ApiChanged { app: AppId, enabled: bool },
    /// `app.draft_saved`: a member saved the draft of an app's graph.
    DraftSaved { app: AppId },
    /// `app.published`: a member published the draft of an app, or named its published version.
    Published { app: AppId, version: WorkflowId },
    /// `app.tags_bound`: a member gave tags to an app.
    TagsBound {
        app: AppId,
        /// Their number.
        tags: usize,
    },
    /// `app.tags_unbound`: a member took tags from an app.
    TagsUnbound { app: AppId, tags: usize },
    /// `tag.created`: a member created a tag.
    TagCreated { tag: TagId },
    /// `tag.deleted`: a member deleted a tag.
    TagDeleted { tag: TagId },
}

impl ConsoleAppEvent<'_> {
    pub(crate) fn record(&self) {
        let Self { tenant_id, subject, kind } = *self;
        match kind {
            ConsoleAppEventKind::Created { app } => {
                event!("app.created", app_id = %app, tenant_id = %tenant_id, subject);
            }
            ConsoleAppEventKind::ApiChanged { app, enabled } => {
                event!("app.api_changed", app_id = %app, tenant_id = %tenant_id, enabled, subject);
            }
            ConsoleAppEventKind::DraftSaved { app } => {
                event!("app.draft_saved", app_id = %app, tenant_id = %tenant_id, subject);
            }
            ConsoleAppEventKind::Published { app, version } => {
                event!("app.published", app_id = %app, tenant_id = %tenant_id, workflow_id = %version, subject);
            }
            ConsoleAppEventKind::TagsBound { app, tags } => {
                event!("app.tags_bound", app_id = %app, tenant_id = %tenant_id, tags, subject);
            }
            ConsoleAppEventKind::TagsUnbound { app, tags } => {
                event!("app.tags_unbound", app_id = %app, tenant_id = %tenant_id, tags, subject);
            }
            ConsoleAppEventKind::TagCreated { tag } => {
                event!("tag.created", tag_id = %tag, tenant_id = %tenant_id, subject);
            }
            ConsoleAppEventKind::TagDeleted { tag } => {
                event!("tag.deleted", tag_id = %tag, tenant_id = %tenant_id, subject);
            }
        }
    }
}
