//! `workspace`: workspaces of a standalone server.

use std::io::Write;

use clap::{Subcommand, ValueEnum, builder::PossibleValue};
use serde_json::json;

use super::{
    confirmation::ConfirmOptions,
    display_name::display_name,
    email_address::email_address,
    error::CommandError,
    listing::{ListOptions, Listing},
    membership,
    operator::Operator,
    output::print_line,
    result_format::{ResultFormat, counted},
};
use crate::domain::{
    deletion::{DeletedApps, DeletionCounts},
    workspace::WorkspaceRole,
};

const COLUMNS: &[&str] = &["id", "name", "status", "members"];

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum WorkspaceCommand {
    /// Create a workspace.
    #[command(after_help = "Example:\n  dify-openapi workspace create Research --owner ada@example.com")]
    Create {
        /// Its name.
        #[arg(value_parser = display_name)]
        name: String,
        /// Email address of the account that will own it.
        #[arg(long, value_parser = email_address)]
        owner: String,
        /// The form of the result.
        #[arg(short, long, value_enum, default_value_t = ResultFormat::Text)]
        output: ResultFormat,
    },
    /// Make an account a member.
    #[command(
        after_help = "Example:\n  dify-openapi workspace add-member 'Demo Workspace' grace@example.com --role editor"
    )]
    AddMember {
        /// The workspace, by id, or by name if it is unique.
        workspace: String,
        /// Email address of the account.
        #[arg(value_parser = email_address)]
        email: String,
        /// Its role.
        #[arg(long, value_enum, default_value_t = WorkspaceRole::Normal)]
        role: WorkspaceRole,
    },
    /// Give a member another role.
    #[command(after_help = "Example:\n  dify-openapi workspace set-role Research grace@example.com admin")]
    SetRole {
        /// The workspace, by id, or by name if it is unique.
        workspace: String,
        /// Email address of the account.
        #[arg(value_parser = email_address)]
        email: String,
        /// Its role.
        #[arg(value_enum)]
        role: WorkspaceRole,
    },
    /// End a membership. The account and its sessions stay.
    #[command(after_help = "Example:\n  dify-openapi workspace remove-member Research grace@example.com")]
    RemoveMember {
        /// The workspace, by id, or by name if it is unique.
        workspace: String,
        /// Email address of the account.
        #[arg(value_parser = email_address)]
        email: String,
    },
    /// Give a workspace another name.
    #[command(after_help = "Example:\n  dify-openapi workspace rename Research Design")]
    Rename {
        /// The workspace, by id, or by name if it is unique.
        workspace: String,
        /// Its new name.
        #[arg(value_parser = display_name)]
        name: String,
    },
    /// Delete a workspace with its apps, their conversations and runs. Its members keep their accounts.
    #[command(after_help = "Examples:
  dify-openapi workspace delete Research --dry-run
  dify-openapi workspace delete Research --yes")]
    Delete {
        /// The workspace, by id, or by name if it is unique.
        workspace: String,
        #[command(flatten)]
        confirmation: ConfirmOptions,
    },
    /// List workspaces.
    #[command(after_help = "Examples:\n  dify-openapi workspace list\n  dify-openapi workspace list -o json")]
    List {
        #[command(flatten)]
        options: ListOptions,
    },
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
        WorkspaceCommand::Create { name, owner, output } => {
            let id = operator.sql.create_workspace(&name, &owner, Operator::now()).await?;
            let object = json!({"id": id.to_string(), "name": name, "owner": owner});
            output.print(format_args!("{owner} owns the new workspace {name} ({id})"), &object, out)
        }
        WorkspaceCommand::AddMember { workspace, email, role } => {
            let id = operator.workspace(&workspace).await?;
            operator.sql.add_member(id, &email, role, Operator::now()).await?;
            print_line(out, format_args!("{email} is a member of {workspace} with the role {}", role.as_str()))
        }
        WorkspaceCommand::SetRole { workspace, email, role } => {
            membership::set_role(&operator, &workspace, &email, role, out).await
        }
        WorkspaceCommand::RemoveMember { workspace, email } => {
            membership::remove(&operator, &workspace, &email, out).await
        }
        WorkspaceCommand::Rename { workspace, name } => {
            let id = operator.workspace(&workspace).await?;
            operator.sql.rename_workspace(id, &name, Operator::now()).await?;
            print_line(out, format_args!("{workspace} is named {name}"))
        }
        WorkspaceCommand::Delete { workspace, confirmation } => {
            let id = operator.workspace(&workspace).await?;
            let lost = operator.sql.count_deleted(DeletedApps::OfWorkspace(id)).await?;
            if !confirmation.obtain(format_args!("{workspace} will be deleted with {}", deleted(lost)), out).await? {
                return Ok(());
            }
            operator.connections()?.revoke_workspace(id).await?;
            operator.sql.delete_workspace(id).await?;
            print_line(out, format_args!("{workspace} is deleted with {}", deleted(lost)))
        }
        WorkspaceCommand::List { options } => {
            let mut listing = Listing::new("workspaces", COLUMNS, "id");
            for workspace in operator.sql.list_workspaces().await? {
                listing.push([
                    json!(workspace.id.to_string()),
                    json!(workspace.name),
                    json!(workspace.status.as_str()),
                    json!(workspace.members),
                ]);
            }
            listing.print(options, out)
        }
    }
}

/// Such as "2 apps, 0 conversations and 7 runs".
fn deleted(lost: DeletionCounts) -> String {
    let DeletionCounts { apps, conversations, runs, connections } = lost;
    format!(
        "{}, {}, {} and {}",
        counted(apps, "app"),
        counted(conversations, "conversation"),
        counted(runs, "run"),
        counted(connections, "connection")
    )
}

/// Such as "0 conversations and 7 runs".
pub(super) fn history(lost: DeletionCounts) -> String {
    format!("{} and {}", counted(lost.conversations, "conversation"), counted(lost.runs, "run"))
}
