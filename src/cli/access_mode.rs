//! `app access-mode`: who may use which app, where this server's own table decides.

use std::io::Write;

use clap::{Subcommand, ValueEnum, builder::PossibleValue};

use super::{error::CommandError, operator::Operator, output::print_line};
use crate::{
    domain::{access_mode::AccessMode, id::WorkspaceId, stored::StoredWord},
    telemetry::audit::apps::AppEvent,
};

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum AccessModeCommand {
    /// Set who may use an app. It takes effect with the next request.
    #[command(after_help = "Examples:
  dify-openapi app access-mode set Greeting public
  dify-openapi app access-mode set Payroll private --allow ada@example.com")]
    Set {
        /// The app, by id, or by name if it is unique.
        app: String,
        /// Who may use it.
        #[arg(value_enum)]
        mode: AccessMode,
        /// Email address of an account that may use a private app; may be repeated. Replaces the previous list.
        #[arg(long, value_name = "EMAIL")]
        allow: Vec<String>,
    },
    /// List who may use the apps of a workspace, or of every one.
    #[command(after_help = "Example:\n  dify-openapi app access-mode list --workspace 'Demo Workspace'")]
    List {
        /// The workspace, by id, or by name if it is unique.
        #[arg(long)]
        workspace: Option<String>,
    },
}

impl ValueEnum for AccessMode {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Public | Self::SsoVerified => "Accounts of its workspace, and everyone who signs in with SSO",
            Self::PrivateAll => "Accounts of its workspace; apps without a mode of their own have this one",
            Self::Private => "The accounts of its workspace that --allow names",
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}

pub(crate) async fn run(command: AccessModeCommand, out: &mut dyn Write) -> Result<(), CommandError> {
    let operator = Operator::connect().await?;
    if operator.config.enterprise.service.is_some() {
        return Err(CommandError::refused(
            "the enterprise service decides who may use which app (ENTERPRISE_API_URL is set); change it there",
        ));
    }
    if !operator.config.enterprise.enabled {
        eprintln!("warning: access modes have no effect until ENTERPRISE_ENABLED is true");
    }
    match command {
        AccessModeCommand::Set { app, mode, allow } => {
            if mode != AccessMode::Private && !allow.is_empty() {
                return Err(CommandError::usage("--allow is for the mode `private`; leave it out"));
            }
            let id = operator.app(&app).await?;
            operator.sql.set_access(id, mode, &allow, "operator", Operator::now()).await?;
            AppEvent::AccessModeChanged { app_id: id, mode: mode.as_str(), allowed: allow.len() }.record();
            print_line(out, format_args!("{id}  {}  {}", mode.as_str(), allow.join(" ")).to_string().trim_end())
        }
        AccessModeCommand::List { workspace: Some(workspace) } => {
            list(&operator, operator.workspace(&workspace).await?, "", out).await
        }
        AccessModeCommand::List { workspace: None } => {
            for workspace in operator.sql.list_workspaces().await? {
                list(&operator, workspace.id, &format!("  in {}", workspace.name), out).await?;
            }
            Ok(())
        }
    }
}

/// Prints the modes of a workspace's apps, each line ending with `suffix`.
async fn list(
    operator: &Operator,
    workspace: WorkspaceId,
    suffix: &str,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    for app in operator.sql.list_access(workspace).await? {
        let mode = app.mode.as_ref().map_or("private_all", |mode| mode.as_str());
        let origin = if app.mode.is_some() { "set" } else { "default" };
        let allowed = app.allowed.iter().fold(String::new(), |all, email| all + " " + email);
        print_line(out, format_args!("{}  {mode:<12}  {origin:<7}  {}{suffix}{allowed}", app.app_id, app.name))?;
    }
    Ok(())
}
