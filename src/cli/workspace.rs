//! `workspace`: workspaces of a standalone server.

use std::io::Write;

use clap::{Subcommand, ValueEnum};

use super::{Failure, operator::Operator, output::say};

/// What to do with workspaces.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum Action {
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
        #[arg(long, value_enum, default_value_t = Role::Normal)]
        role: Role,
    },
    /// List workspaces.
    #[command(after_help = "Example:\n  dify-openapi workspace list")]
    List,
}

/// Dify's roles that can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Role {
    /// May do everything except own it.
    Admin,
    /// May change apps.
    Editor,
    /// May use apps.
    Normal,
    /// May manage datasets.
    DatasetOperator,
}

impl Role {
    /// As Dify stores it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Editor => "editor",
            Self::Normal => "normal",
            Self::DatasetOperator => "dataset_operator",
        }
    }
}

/// Runs the command.
pub(crate) async fn run(action: Action, out: &mut dyn Write) -> Result<(), Failure> {
    let operator = Operator::standalone().await?;
    match action {
        Action::Create { name, owner } => {
            say(out, operator.sql.create_workspace(&name, &owner, Operator::now()).await?)
        }
        Action::AddMember { workspace, email, role } => {
            let workspace = operator.workspace(&workspace).await?;
            operator.sql.add_member(workspace, &email, role.as_str(), Operator::now()).await?;
            say(out, format_args!("{email} is now a member"))
        }
        Action::List => {
            for workspace in operator.sql.list_workspaces().await? {
                let members = workspace.members;
                say(
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
