//! `app`: imports and exports apps of a standalone server as Dify DSL files, checks such files, and lists apps.

use std::io::Write;

use clap::{ArgGroup, Subcommand};
use serde_json::json;

use super::{
    access_mode::{self, AccessModeCommand},
    confirmation::ConfirmOptions,
    error::CommandError,
    input_file::InputFile,
    listing::{ListOptions, Listing},
    operator::Operator,
    output::{print_document, print_line},
    printable::Printable,
    result_format::ResultFormat,
    workspace::history,
};
use crate::{
    config::{process_env, settings::PLUGIN_DAEMON_URL},
    domain::{app::file::ImportTarget, deletion::DeletedApps, id::AppId},
    dsl::{self, Checked},
    telemetry::audit::apps::AppEvent,
};

const COLUMNS: &[&str] = &["id", "name", "mode", "published", "workspace"];

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum AppCommand {
    /// Import an app from a DSL file (YAML, version 0.1 to 0.6) and publish it.
    ///
    /// An app of the same name in the workspace is overwritten, so importing a file twice leaves one app. If anything
    /// in the file is wrong, it is refused and nothing changes. Secret environment variables are stored as the file has
    /// them.
    #[command(
        group = ArgGroup::new("target").args(["app", "new"]),
        after_help = "Examples:
  dify-openapi app import greeting.yml --workspace 'Demo Workspace'
  dify-openapi app import - --workspace 'Demo Workspace' --app 5b0c… < greeting.yml"
    )]
    Import {
        /// The file; `-` reads standard input.
        file: InputFile,
        /// The workspace, by id, or by name if it is unique.
        #[arg(long)]
        workspace: String,
        /// Overwrite the app with this id, whatever its name.
        #[arg(long, value_name = "ID")]
        app: Option<AppId>,
        /// Create a new app even if one already has this name.
        #[arg(long)]
        new: bool,
        /// The form of the result.
        #[arg(short, long, value_enum, default_value_t = ResultFormat::Text)]
        output: ResultFormat,
    },
    /// Report what will not run here, without importing anything.
    ///
    /// Every node, tool and feature that is missing here is named with its line, everything that would refuse the
    /// import, and, as a warning, what will not work in an app that runs. Needs no configuration; tools are accepted
    /// where
    /// `PLUGIN_DAEMON_URL` is set. The exit code is 0 when all files will run, and 1 otherwise.
    #[command(after_help = "Examples:\n  dify-openapi app check greeting.yml\n  dify-openapi app check apps/*.yml")]
    Check {
        /// The files; `-` reads standard input.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<InputFile>,
    },
    /// List the apps of a workspace, or of every one.
    #[command(after_help = "Examples:\n  dify-openapi app list\n  dify-openapi app list --workspace 'Demo Workspace'")]
    List {
        /// The workspace, by id, or by name if it is unique.
        #[arg(long)]
        workspace: Option<String>,
        #[command(flatten)]
        options: ListOptions,
    },
    /// Write an app's published version to standard output, as a DSL file that can be imported again.
    ///
    /// Secret environment variables are left empty unless you ask for them.
    #[command(after_help = "Example:\n  dify-openapi app export Greeting > greeting.yml")]
    Export {
        /// The app, by id, or by name if it is unique.
        app: String,
        /// Include the values of secrets; keep the file where only you can read it.
        #[arg(long)]
        include_secrets: bool,
    },
    /// Make an app callable again.
    #[command(after_help = "Example:\n  dify-openapi app enable Greeting")]
    Enable {
        /// The app, by id, or by name if it is unique.
        app: String,
    },
    /// Make an app unavailable to every client. Runs that have begun go on.
    #[command(after_help = "Example:\n  dify-openapi app disable Greeting")]
    Disable {
        /// The app, by id, or by name if it is unique.
        app: String,
    },
    /// Delete an app with its versions, conversations and runs.
    #[command(after_help = "Examples:
  dify-openapi app delete Greeting --dry-run
  dify-openapi app delete Greeting --yes")]
    Delete {
        /// The app, by id, or by name if it is unique.
        app: String,
        #[command(flatten)]
        confirmation: ConfirmOptions,
    },
    /// Set and list who may use apps in the Enterprise edition, where no enterprise service decides.
    #[command(after_help = "Examples:
  dify-openapi app access-mode set Greeting public
  dify-openapi app access-mode set Payroll private --allow ada@example.com --allow grace@example.com
  dify-openapi app access-mode list")]
    AccessMode {
        #[command(subcommand)]
        command: AccessModeCommand,
    },
}

pub(crate) async fn run(command: AppCommand, out: &mut dyn Write) -> Result<(), CommandError> {
    match command {
        AppCommand::AccessMode { command } => Box::pin(access_mode::run(command, out)).await,
        AppCommand::Check { files } => check(&files, out),
        AppCommand::Import { file, workspace, app, new, output } => {
            let operator = Operator::standalone().await?;
            let read = dsl::read_for(&file.read()?, operator.config.plugin_daemon.is_some())
                .map_err(|error| CommandError::usage(format_args!("{file}: {error}")))?;
            let workspace = operator.workspace(&workspace).await?;
            let target = match app {
                Some(id) => ImportTarget::App(id),
                None if new => ImportTarget::New,
                None => ImportTarget::Named,
            };
            for warning in &read.warnings {
                eprintln!("warning: {}", Printable(warning));
            }
            let imported = operator.sql.import_app(workspace, &read.app, target, Operator::now()).await?;
            if imported.overwritten {
                AppEvent::Overwritten { app_id: imported.id, tenant_id: workspace }.record();
            }
            let what = if imported.overwritten { "overwritten" } else { "created" };
            let (id, name, mode) = (imported.id, &read.app.name, read.app.mode.as_str());
            let object = json!({"id": id.to_string(), "name": name, "mode": mode, "overwritten": imported.overwritten});
            output.print(format_args!("the {mode} app {name} is {what} and published ({id})"), &object, out)
        }
        AppCommand::List { workspace, options } => {
            let operator = Operator::standalone().await?;
            let only = match workspace {
                Some(workspace) => Some(operator.workspace(&workspace).await?),
                None => None,
            };
            let mut listing = Listing::new("apps", COLUMNS, "id");
            let workspaces = operator.sql.list_workspaces().await?;
            for workspace in workspaces.iter().filter(|workspace| only.is_none_or(|id| id == workspace.id)) {
                for app in operator.sql.list_workspace_apps(workspace.id).await? {
                    listing.push([
                        json!(app.id.to_string()),
                        json!(app.name),
                        json!(app.mode.as_str()),
                        json!(app.published),
                        json!(workspace.name),
                    ]);
                }
            }
            listing.print(options, out)
        }
        AppCommand::Enable { app } => {
            set_enabled(&app, true).await?;
            print_line(out, format_args!("{app} can be called"))
        }
        AppCommand::Disable { app } => {
            set_enabled(&app, false).await?;
            print_line(out, format_args!("{app} cannot be called; `dify-openapi app enable` reverses that"))
        }
        AppCommand::Delete { app, confirmation } => delete(&app, confirmation, out).await,
        AppCommand::Export { app, include_secrets } => {
            let operator = Operator::standalone().await?;
            let id = operator.app(&app).await?;
            let mut file = operator.sql.export_app(id).await?;
            if !include_secrets {
                for name in file.clear_secrets() {
                    eprintln!(
                        "warning: the secret `{}` was left empty; add --include-secrets to export it",
                        Printable(name)
                    );
                }
            }
            let text = dsl::write(&file)?;
            print_document("app", format!("{}\n", text.trim_end_matches('\n')).as_bytes(), out)
        }
    }
}

async fn set_enabled(app: &str, enabled: bool) -> Result<(), CommandError> {
    let operator = Operator::standalone().await?;
    let id = operator.app(app).await?;
    Ok(operator.sql.set_app_enabled(id, enabled, Operator::now()).await?)
}

async fn delete(app: &str, confirmation: ConfirmOptions, out: &mut dyn Write) -> Result<(), CommandError> {
    let operator = Operator::standalone().await?;
    let id = operator.app(app).await?;
    let lost = history(operator.sql.count_deleted(DeletedApps::One(id)).await?);
    if !confirmation.obtain(format_args!("{app} will be deleted with {lost}"), out).await? {
        return Ok(());
    }
    operator.sql.delete_app(id).await?;
    print_line(out, format_args!("{app} is deleted with {lost}"))
}

/// Prints what keeps each file from running here.
fn check(files: &[InputFile], out: &mut dyn Write) -> Result<(), CommandError> {
    let has_plugin_daemon = process_env(PLUGIN_DAEMON_URL.name).is_some_and(|url| !url.trim().is_empty());
    let mut failing = 0;
    for file in files {
        let Checked { faults, warnings } = dsl::check(&file.read()?, has_plugin_daemon);
        failing += usize::from(!faults.is_empty());
        print_line(out, format_args!("{file}: {}", if faults.is_empty() { "will run" } else { "will not run" }))?;
        for fault in faults {
            print_line(out, format_args!("  {fault}"))?;
        }
        for warning in warnings {
            print_line(out, format_args!("  warning: {warning}"))?;
        }
    }
    match failing {
        0 => Ok(()),
        1 if files.len() == 1 => Err(CommandError::other("the app will not run here; the lines above say why")),
        _ => Err(CommandError::other(format_args!("{failing} of {} files will not run here", files.len()))),
    }
}
