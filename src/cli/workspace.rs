//! `workspace`: workspaces of a standalone server.

use std::io::Write;

use clap::{Subcommand, ValueEnum, builder::PossibleValue};
use serde_json::json;

use super::{
    display_name::display_name,
    error::CommandError,
    listing::{ListOptions, Listing},
    operator::Operator,
    output::print_line,
    result_format::ResultFormat,
};
use crate::domain::workspace::WorkspaceRole;

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
        #[arg(long)]
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
        email: String,
        /// Its role.
        #[arg(long, value_enum, default_value_t = WorkspaceRole::Normal)]
        role: WorkspaceRole,
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
