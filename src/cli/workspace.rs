//! `workspace`: workspaces of a standalone server.

use std::io::Write;

use clap::{Subcommand, ValueEnum, builder::PossibleValue};

use super::{display_name::display_name, error::CommandError, operator::Operator, output::print_line};
use crate::domain::workspace::WorkspaceRole;

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum WorkspaceCommand {
    /// Create a workspace.
    #[command(after_help = "Example:\n  dify-openapi workspace create Research --owner ada@example.com")]
    Create {
        /// Its name.
        #[arg(value_parser = display_name)]
        name: String,
        /// Email address of the account that will own it.
        #[arg(long)]
        owner: String,
    },
    /// Make an account a member.
    #[command(
        after_help = "Example:\n  dify-openapi workspace add-member 'Demo Workspace' grace@example.com --role editor"
    )]
    AddMember {
        /// The workspace, by id, or by name if it is unique.
        workspace: String,
        /// Email address of the account.
        email: String,
        /// Its role.
        #[arg(long, value_enum, default_value_t = WorkspaceRole::Normal)]
        role: WorkspaceRole,
    },
    /// List workspaces.
    #[command(after_help = "Example:\n  dify-openapi workspace list")]
    List,
}

impl ValueEnum for WorkspaceRole {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ASSIGNABLE
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Owner => return None,
            Self::Admin => "May do everything except own it",
            Self::Editor => "May change apps",
            Self::Normal => "May use apps",
            Self::DatasetOperator => "May manage datasets",
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}

pub(crate) async fn run(command: WorkspaceCommand, out: &mut dyn Write) -> Result<(), CommandError> {
    let operator = Operator::standalone().await?;
    match command {
        WorkspaceCommand::Create { name, owner } => {
            print_line(out, operator.sql.create_workspace(&name, &owner, Operator::now()).await?)
        }
        WorkspaceCommand::AddMember { workspace, email, role } => {
            let workspace = operator.workspace(&workspace).await?;
            operator.sql.add_member(workspace, &email, role, Operator::now()).await?;
            print_line(out, format_args!("{email} is now a member"))
        }
        WorkspaceCommand::List => {
            for workspace in operator.sql.list_workspaces().await? {
                let members = workspace.members;
                print_line(
                    out,
                    format_args!(
                        "{}  {:<8}  {members:>5} member(s)  {}",
                        workspace.id, workspace.status, workspace.name
                    ),
                )?;
            }
            Ok(())
        }
    }
}
