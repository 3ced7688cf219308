//! `migrate`: the database's tables.

use std::io::Write;

use clap::Subcommand;
use dify_openapi_migrations::ChangeState;

use super::{
    confirmation::ConfirmOptions,
    error::CommandError,
    operator::Operator,
    output::{print_document, print_line},
    result_format::counted,
};
use crate::store::sql::migrate::RevertRange;

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Create what is missing. Tables that Dify made are never altered.
    #[command(after_help = "Examples:
  dify-openapi migrate up && dify-openapi serve
  dify-openapi migrate up --sql > changes.sql")]
    Up {
        /// Print the SQL and execute nothing.
        #[arg(long)]
        sql: bool,
    },
    /// Show what `up` would apply, without applying it.
    #[command(after_help = "Examples:\n  dify-openapi migrate plan\n  dify-openapi migrate plan --sql")]
    Plan {
        /// Print the SQL instead of the names.
        #[arg(long)]
        sql: bool,
    },
    /// Revert the last change, or all changes after one. The data in their tables is lost.
    #[command(after_help = "Examples:
  dify-openapi migrate down --dry-run
  dify-openapi migrate down --to m20261121_000018_openapi_conversation_variables --yes")]
    Down {
        /// Keep this change and all before it.
        #[arg(long, value_name = "CHANGE")]
        to: Option<String>,
        /// Revert every change.
        #[arg(long, conflicts_with = "to")]
        all: bool,
        /// Print the SQL and execute nothing.
        #[arg(long, conflicts_with_all = ["yes", "dry_run"])]
        sql: bool,
        #[command(flatten)]
        confirmation: ConfirmOptions,
    },
    /// Show which changes have been applied, by this version or a newer one.
    #[command(after_help = "Example:\n  dify-openapi migrate status")]
    Status,
}

pub(crate) async fn run(command: MigrateCommand, out: &mut dyn Write) -> Result<(), CommandError> {
    let operator = Operator::connect().await?;
    let beside_dify = !operator.standalone;
    let sql = &operator.sql;
    match command {
        MigrateCommand::Up { sql: true } | MigrateCommand::Plan { sql: true } => {
            print_sql(out, &sql.migrate_up_sql(beside_dify, Operator::now()).await?)
        }
        MigrateCommand::Up { sql: false } => {
            let applied = sql.migrate_up(beside_dify).await?;
            print_changes(out, "applied", &applied)?;
            print_line(out, format_args!("{} applied", counted(applied.len() as u64, "change")))
        }
        MigrateCommand::Plan { sql: false } => {
            let pending = sql.pending_migrations(beside_dify).await?;
            print_changes(out, "pending", &pending)?;
            print_line(out, format_args!("{} would be applied", counted(pending.len() as u64, "change")))
        }
        MigrateCommand::Down { to, all, sql: only_sql, confirmation } => {
            let range = match (&to, all) {
                (_, true) => RevertRange::All,
                (Some(name), _) => RevertRange::After(name),
                (None, _) => RevertRange::Last,
            };
            if only_sql {
                return print_sql(out, &sql.migrate_down_sql(beside_dify, range).await?);
            }
            let names = sql.revertible_migrations(beside_dify, range).await?;
            let count = counted(names.len() as u64, "change");
            let loss = format!("{count} will be reverted, and the data in their tables is lost: {}", names.join(", "));
            if !names.is_empty() && !confirmation.obtain(loss, out).await? {
                return Ok(());
            }
            let reverted = sql.migrate_down(beside_dify, range).await?;
            print_changes(out, "reverted", &reverted)?;
            print_line(out, format_args!("{} reverted", counted(reverted.len() as u64, "change")))
        }
        MigrateCommand::Status => {
            for (name, state) in sql.schema_changes(beside_dify).await? {
                let state = match state {
                    ChangeState::Applied => "applied",
                    ChangeState::Pending => "pending",
                    ChangeState::Newer => "newer  ",
                };
                print_line(out, format_args!("{state}  {name}"))?;
            }
            Ok(())
        }
    }
}

fn print_changes(out: &mut dyn Write, state: &str, names: &[String]) -> Result<(), CommandError> {
    names.iter().try_for_each(|name| print_line(out, format_args!("{state}  {name}")))
}

/// Prints a script that can be executed as it is; without changes it is a comment.
fn print_sql(out: &mut dyn Write, script: &str) -> Result<(), CommandError> {
    let script = if script.is_empty() { "-- There is nothing to change.\n" } else { script };
    print_document("SQL", script.as_bytes(), out)
}
