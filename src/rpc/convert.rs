//! Converts domain values to proto messages.

use super::proto;
use crate::domain::{
    account::{Account, AccountView},
    session::Session,
    subject::SubjectType,
    workspace::Membership,
};

impl From<SubjectType> for proto::SubjectType {
    fn from(subject_type: SubjectType) -> Self {
        match subject_type {
            SubjectType::Account => Self::Account,
            SubjectType::ExternalSso => Self::ExternalSso,
        }
    }
}

impl From<&Account> for proto::AccountSummary {
    fn from(account: &Account) -> Self {
        Self { id: account.id.to_string(), email: account.email.clone(), name: account.name.clone() }
    }
}

impl From<&Membership> for proto::WorkspaceMembership {
    fn from(membership: &Membership) -> Self {
        Self {
            id: membership.workspace_id.to_string(),
            name: membership.name.clone(),
            role: membership.role.to_string(),
        }
    }
}

impl From<Membership> for proto::Workspace {
    fn from(membership: Membership) -> Self {
        Self {
            id: membership.workspace_id.to_string(),
            name: membership.name,
            role: membership.role.to_string(),
            status: membership.status.to_string(),
            current: membership.current,
        }
    }
}

impl From<Membership> for proto::GetWorkspaceResponse {
    fn from(membership: Membership) -> Self {
        Self {
            id: membership.workspace_id.to_string(),
            name: membership.name,
            role: membership.role.to_string(),
            status: membership.status.to_string(),
            current: membership.current,
            created_at: Some(membership.created_at.into()),
        }
    }
}

impl From<Membership> for proto::SetCurrentWorkspaceResponse {
    fn from(membership: Membership) -> Self {
        let proto::GetWorkspaceResponse { id, name, role, status, current, created_at } = membership.into();
        Self { id, name, role, status, current, created_at }
    }
}

impl From<Membership> for proto::ConsoleWorkspace {
    fn from(membership: Membership) -> Self {
        Self {
            id: membership.workspace_id.to_string(),
            name: membership.name,
            plan: membership.plan,
            status: membership.status.to_string(),
            created_at: membership.created_at.timestamp(),
            current: membership.current,
        }
    }
}

impl From<Session> for proto::Session {
    fn from(session: Session) -> Self {
        Self {
            id: session.id.to_string(),
            prefix: session.prefix,
            client_id: session.client_id,
            device_label: session.device_label,
            created_at: Some(session.created_at.into()),
            last_used_at: session.last_used_at.map(Into::into),
            expires_at: Some(session.expires_at.into()),
        }
    }
}

/// The id of the account's default workspace.
pub(crate) fn default_workspace_id(view: &AccountView) -> Option<String> {
    view.default_workspace().map(|membership| membership.workspace_id.to_string())
}
