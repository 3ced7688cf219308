//! Members of a workspace, and who may change what in it.

use super::{
    account::Account,
    error::{Code, Error, Result},
    id::AccountId,
    stored::StoredValue,
    workspace::WorkspaceRole,
};

/// A member of a workspace.
#[derive(Clone, Debug)]
pub struct Member {
    pub account: Account,
    pub role: StoredValue<WorkspaceRole>,
}

/// The party that changes a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An operator at the command line, who may do everything.
    Operator,
    /// A member, whose role decides.
    Member(AccountId),
}

impl Actor {
    /// The account of a member.
    pub(crate) fn account(self) -> Option<AccountId> {
        match self {
            Self::Operator => None,
            Self::Member(account) => Some(account),
        }
    }
}

/// The least role that an action requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequiredRole {
    /// Every member may do it.
    Any,
    /// Editors, administrators and the owner may do it.
    Editor,
    /// Administrators and the owner may do it.
    Admin,
}

impl RequiredRole {
    pub(crate) fn is_met_by(self, role: &StoredValue<WorkspaceRole>) -> bool {
        let roles: &[WorkspaceRole] = match self {
            Self::Any => return true,
            Self::Editor => &[WorkspaceRole::Owner, WorkspaceRole::Admin, WorkspaceRole::Editor],
            Self::Admin => &[WorkspaceRole::Owner, WorkspaceRole::Admin],
        };
        roles.iter().any(|allowed| role.is(*allowed))
    }

    /// Fails with `forbidden` for a lesser role.
    pub(crate) fn check(self, role: &StoredValue<WorkspaceRole>) -> Result<()> {
        if self.is_met_by(role) { Ok(()) } else { Err(self.unmet()) }
    }

    /// The error of a member with a lesser role.
    pub(crate) fn unmet(self) -> Error {
        let message = match self {
            Self::Any => "Only members of the workspace may do this.",
            Self::Editor => "Only editors of the workspace may do this.",
            Self::Admin => "Only administrators of the workspace may do this.",
        };
        Error::new(Code::Forbidden, message).with_hint("Ask an administrator of the workspace for another role.")
    }
}

/// An account that becomes a member.
#[derive(Clone, Copy, Debug)]
pub struct Invitation<'a> {
    pub email: &'a str,
    pub role: WorkspaceRole,
    /// Display name of the account that is created when the email address has none; `None` to create no account.
    pub new_account_name: Option<&'a str>,
}

/// The error of a workspace that the caller has not joined, also of one that does not exist.
pub(crate) fn workspace_not_found() -> Error {
    Error::not_found("Workspace not found.").with_hint("GET /openapi/v1/workspaces lists your workspaces.")
}

pub(crate) fn member_not_found() -> Error {
    Error::not_found("This account is not a member of the workspace.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_decides_what_a_member_may_do() {
        for (role, is_editor, is_admin) in [
            ("owner", true, true),
            ("admin", true, true),
            ("editor", true, false),
            ("normal", false, false),
            ("dataset_operator", false, false),
            ("superhero", false, false),
        ] {
            let role = StoredValue::from(role.to_owned());
            assert!(RequiredRole::Any.check(&role).is_ok());
            assert_eq!(RequiredRole::Editor.check(&role).is_ok(), is_editor, "{role}");
            assert_eq!(RequiredRole::Admin.check(&role).is_ok(), is_admin, "{role}");
        }
    }
}
