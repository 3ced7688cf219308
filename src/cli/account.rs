//! `account`: accounts of a standalone server.

use std::io::Write;

use clap::Subcommand;

use super::{display_name::display_name, error::CommandError, operator::Operator, output::print_line, password};
use crate::{
    domain::{
        account::{AccountStatus, EndedSessions},
        secret::Secret,
        session::RevokeSelection,
        workspace::WorkspaceRole,
    },
    memory::MemoryLedger,
    service::password::{Passwords, unacceptable},
};

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum AccountCommand {
    /// Create an account; its password is asked for, or read from standard input when that is piped.
    #[command(after_help = "Examples:
  dify-openapi account create ada@example.com --name Ada
  echo 'a long password' | dify-openapi account create ada@example.com")]
    Create {
        /// Email address.
        email: String,
        /// Display name [default: the part before the @].
        #[arg(long, value_parser = display_name)]
        name: Option<String>,
        /// A workspace for the account to join, by id or name.
        #[arg(long)]
        workspace: Option<String>,
    },
    /// List accounts.
    #[command(after_help = "Example:\n  dify-openapi account list")]
    List,
    /// Disable an account: its tokens and browser sessions end immediately.
    #[command(after_help = "Example:\n  dify-openapi account disable ada@example.com")]
    Disable {
        /// Email address.
        email: String,
    },
    /// Enable a disabled account.
    #[command(after_help = "Example:\n  dify-openapi account enable ada@example.com")]
    Enable {
        /// Email address.
        email: String,
    },
    /// Set an account's password, asked for or piped in. Its browser and device sessions end immediately.
    #[command(after_help = "Examples:
  dify-openapi account set-password ada@example.com
  dify-openapi account set-password ada@example.com --keep-sessions
  echo 'another long password' | dify-openapi account set-password ada@example.com")]
    SetPassword {
        /// Email address.
        email: String,
        /// Keep the account's device sessions: their tokens stay valid. Browser sessions end anyway.
        #[arg(long)]
        keep_sessions: bool,
    },
}

pub(crate) async fn run(command: AccountCommand, out: &mut dyn Write) -> Result<(), CommandError> {
    let operator = Operator::standalone().await?;
    let (sql, now) = (&operator.sql, Operator::now());
    match command {
        AccountCommand::Create { email, name, workspace } => {
            let hash = checked_hash(password::ask(&email).await?).await?;
            let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
            let workspace = match &workspace {
                Some(workspace) => Some(operator.workspace(workspace).await?),
                None => None,
            };
            let id = sql.create_account(&email, &name, Some(&hash), now).await?;
            if let Some(workspace) = workspace {
                sql.add_member(workspace, &email, WorkspaceRole::Normal, now).await?;
            }
            print_line(out, id)
        }
        AccountCommand::List => {
            for account in sql.list_accounts().await? {
                print_line(
                    out,
                    format_args!("{}  {:<10}  {}  {}", account.id, account.status, account.email, account.name),
                )?;
            }
            Ok(())
        }
        AccountCommand::Disable { email } => {
            let revoked = sql.set_account_status(&email, AccountStatus::Banned, now).await?;
            operator.publish_revocations(&revoked, out).await
        }
        AccountCommand::Enable { email } => {
            sql.set_account_status(&email, AccountStatus::Active, now).await?;
            print_line(out, format_args!("{email} can sign in again"))
        }
        AccountCommand::SetPassword { email, keep_sessions } => {
            // Checked before the password is typed.
            operator.require_known(&RevokeSelection::Account(email.clone())).await?;
            let hash = checked_hash(password::ask(&email).await?).await?;
            let scope = if keep_sessions { EndedSessions::Browser } else { EndedSessions::All };
            let revoked = sql.set_password(&email, &hash, scope, now).await?;
            print_line(out, format_args!("{email} has a new password, and its browser sessions have ended"))?;
            if keep_sessions {
                return print_line(out, "its device sessions continue; `dify-openapi token revoke` ends them");
            }
            operator.publish_revocations(&revoked, out).await
        }
    }
}

/// The hash of a password that follows the rules.
async fn checked_hash(password: Secret) -> Result<Secret, CommandError> {
    match unacceptable(password.expose()) {
        Some(reason) => Err(CommandError::usage(reason)),
        None => Ok(Passwords::new(&MemoryLedger::unlimited())?.hash(password).await?),
    }
}
