//! `migrate`: the database's tables.

use std::io::Write;

use clap::Subcommand;

use super::{error::CommandError, operator::Operator, output::print_line};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Create what is missing. Tables that Dify made are never altered.
    #[command(after_help = "Example:\n  dify-openapi migrate up && dify-openapi serve")]
    Up,
    /// Revert the last change. The data in its tables is lost.
    #[command(after_help = "Example:\n  dify-openapi migrate down && dify-openapi migrate status")]
    Down,
    /// Show which changes have been applied.
    #[command(after_help = "Example:\n  dify-openapi migrate status")]
    Status,
}

pub(crate) async fn run(command: MigrateCommand, out: &mut dyn Write) -> Result<(), CommandError> {
    let operator = Operator::connect().await?;
    let beside_dify = !operator.standalone;
    let sql = &operator.sql;
    match command {
        MigrateCommand::Up => {
            let pending = sql.pending_migrations(beside_dify).await?;
            sql.migrate_up(beside_dify).await?;
            print_line(out, format_args!("{} change(s) applied", pending.len()))
        }
        MigrateCommand::Down => {
            sql.migrate_down(beside_dify, Some(1)).await?;
            print_line(out, "the last change was reverted")
        }
        MigrateCommand::Status => {
            for (name, applied) in sql.migration_status(beside_dify).await? {
                print_line(out, format_args!("{}  {name}", if applied { "applied" } else { "pending" }))?;
            }
            Ok(())
        }
    }
}
