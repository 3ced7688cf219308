//! What an account is to a workspace: the first thing every app route asks (contract section 4, step 10).

use crate::domain::id::WorkspaceId;

/// What SQL says of an account and a workspace, in one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipStatus {
    /// The account is not active, or not there: it may do nothing.
    Inactive,
    /// It has not joined the workspace.
    NotMember,
    /// It has.
    Member(WorkspaceId),
}
