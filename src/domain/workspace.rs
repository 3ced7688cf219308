//! Workspaces (`tenants` in SQL) and the accounts that have joined them.

use chrono::{DateTime, Utc};

use super::{
    error::{Code, Error, Result},
    id::WorkspaceId,
    stored::{StoredValue, stored_words},
};

stored_words! {
    /// The role of an account in a workspace.
    WorkspaceRole {
        Owner = "owner",
        Admin = "admin",
        Editor = "editor",
        Normal = "normal",
        DatasetOperator = "dataset_operator",
    }
}

impl WorkspaceRole {
    /// Roles that an operator can give to a member. A workspace gets its owner when it is created.
    pub const ASSIGNABLE: &[Self] = &[Self::Admin, Self::Editor, Self::Normal, Self::DatasetOperator];

    /// Fails with `invalid_param` for a role that no member can be given.
    pub(crate) fn require_assignable(self) -> Result<()> {
        if Self::ASSIGNABLE.contains(&self) {
            return Ok(());
        }
        Err(Error::new(Code::InvalidParam, "This role cannot be given to a member.")
            .with_hint("Use admin, editor, normal or dataset_operator."))
    }
}

stored_words! {
    /// The status of a workspace.
    WorkspaceStatus {
        Normal = "normal",
        Archive = "archive",
    }
}

/// A workspace that an account has joined.
#[derive(Clone, Debug)]
pub struct Membership {
    pub workspace_id: WorkspaceId,
    pub name: String,
    /// The account's role in the workspace.
    pub role: StoredValue<WorkspaceRole>,
    pub status: StoredValue<WorkspaceStatus>,
    /// Dify's billing plan.
    pub plan: String,
    /// Whether this is the account's current workspace.
    pub current: bool,
    /// When the workspace was created.
    pub created_at: DateTime<Utc>,
}

/// A workspace as an operator lists it.
#[derive(Clone, Debug)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub name: String,
    pub status: StoredValue<WorkspaceStatus>,
    /// Number of accounts that have joined it.
    pub members: u64,
}

/// Whether an account may use a workspace: the first check of every app route (contract section 4, step 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipStatus {
    /// The account is not active, or does not exist.
    Inactive,
    /// The account is active and has not joined the workspace.
    NotMember,
    /// The account is active and has joined this workspace.
    Member(WorkspaceId),
}
