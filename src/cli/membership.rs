//! Changes of one member of a workspace, for `account` and `workspace`.

use std::io::Write;

use super::{error::CommandError, operator::Operator, output::print_line};
use crate::domain::{member::Actor, workspace::WorkspaceRole};

/// Gives a member another role.
pub(super) async fn set_role(
    operator: &Operator,
    workspace: &str,
    email: &str,
    role: WorkspaceRole,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let id = operator.workspace(workspace).await?;
    let account = operator.account(email).await?;
    operator.sql.set_member_role(id, account.id, role, Actor::Operator, Operator::now()).await?;
    print_line(out, format_args!("{email} has the role {} in {workspace}", role.as_str()))
}

/// Ends a membership. The account and its sessions stay.
pub(super) async fn remove(
    operator: &Operator,
    workspace: &str,
    email: &str,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let id = operator.workspace(workspace).await?;
    let account = operator.account(email).await?;
    operator.sql.remove_member(id, account.id, Actor::Operator).await?;
    print_line(out, format_args!("{email} is no longer a member of {workspace}"))
}
