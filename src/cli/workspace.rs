//! `workspace`: workspaces of a standalone server.

use std::io::Write;

use clap::{Subcommand, ValueEnum};

use super::{error::CommandError, operator::Operator, output::print_line};

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum WorkspaceCommand {
    /// Create a workspace.
    #[command(after_help = "Example:\n  dify-openapi workspace create Research --owner ada@example.com")]
    Create {
        /// Its name.
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
        #[arg(long, value_enum, default_value_t = AssignableRole::Normal)]
        role: AssignableRole,
    },
    /// List workspaces.
    #[command(after_help = "Example:\n  dify-openapi workspace list")]
    List,
}

/// Dify's roles that this command can assign; it cannot make an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum AssignableRole {
    /// May do everything except own it.
    Admin,
    /// May change apps.
    Editor,
    /// May use apps.
    Normal,
    /// May manage datasets.
    DatasetOperator,
}

impl AssignableRole {
    /// The value that Dify stores.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Editor => "editor",
            Self::Normal => "normal",
            Self::DatasetOperator => "dataset_operator",
        }
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
            operator.sql.add_member(workspace, &email, role.as_str(), Operator::now()).await?;
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
