//! Audit events of workspaces: their members, and apps that are imported and exported.

use super::{TARGET, request_id};
use crate::domain::{
    id::{AccountId, AppId, TokenId, WorkspaceId},
    session::TokenContext,
    workspace::WorkspaceRole,
};

/// An event in a workspace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WorkspaceEvent<'a> {
    pub workspace_id: WorkspaceId,
    pub kind: WorkspaceEventKind,
    /// The email address of the caller.
    pub subject: &'a str,
    /// `None` for a caller with a browser session.
    pub token_id: Option<TokenId>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum WorkspaceEventKind {
    /// `workspace.member_added`: an account was made a member.
    MemberAdded { member: AccountId, role: WorkspaceRole },
    /// `workspace.member_role_changed`: a member has another role.
    RoleChanged { member: AccountId, role: WorkspaceRole },
    /// `workspace.member_removed`: an account is no longer a member.
    MemberRemoved { member: AccountId },
    /// `app.imported`: an app was created from a file, or overwritten with it.
    AppImported { app: AppId, overwritten: bool },
    /// `app.exported`: a caller has read an app as a file.
    AppExported {
        app: AppId,
        /// Whether the file has the values of secret variables.
        with_secrets: bool,
    },
    /// `workspace.switched`: the account has made the workspace its current one.
    Switched,
}

impl<'a> WorkspaceEvent<'a> {
    /// An event that the bearer of a token has caused.
    pub(crate) fn of(token: &'a TokenContext, workspace_id: WorkspaceId, kind: WorkspaceEventKind) -> Self {
        Self { workspace_id, kind, subject: token.subject.email(), token_id: Some(token.token_id) }
    }

    pub(crate) fn record(&self) {
        let Self { workspace_id: tenant_id, kind, subject, token_id } = *self;
        let token_id = token_id.map(tracing::field::display);
        match kind {
            WorkspaceEventKind::MemberAdded { member, role } => event!(
                "workspace.member_added",
                tenant_id = %tenant_id,
                member_id = %member,
                role = role.as_str(),
                subject,
                token_id,
            ),
            WorkspaceEventKind::RoleChanged { member, role } => event!(
                "workspace.member_role_changed",
                tenant_id = %tenant_id,
                member_id = %member,
                role = role.as_str(),
                subject,
                token_id,
            ),
            WorkspaceEventKind::MemberRemoved { member } => event!(
                "workspace.member_removed",
                tenant_id = %tenant_id,
                member_id = %member,
                subject,
                token_id,
            ),
            WorkspaceEventKind::AppImported { app, overwritten } => event!(
                "app.imported",
                app_id = %app,
                tenant_id = %tenant_id,
                overwritten,
                subject,
                token_id,
            ),
            WorkspaceEventKind::AppExported { app, with_secrets } => event!(
                "app.exported",
                app_id = %app,
                tenant_id = %tenant_id,
                with_secrets,
                subject,
                token_id,
            ),
            WorkspaceEventKind::Switched => {
                event!("workspace.switched", tenant_id = %tenant_id, subject, token_id);
            }
        }
    }
}
