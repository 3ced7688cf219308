//! `account`: accounts of a standalone server.

use std::io::Write;

use clap::Subcommand;
use serde_json::json;

use super::{
    confirmation::ConfirmOptions,
    display_name::display_name,
    error::CommandError,
    listing::{ListOptions, Listing},
    operator::Operator,
    output::print_line,
    password,
    result_format::{ResultFormat, counted},
};
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

const COLUMNS: &[&str] = &["id", "email", "name", "status"];

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
        /// The form of the result.
        #[arg(short, long, value_enum, default_value_t = ResultFormat::Text)]
        output: ResultFormat,
    },
    /// List accounts.
    #[command(after_help = "Examples:\n  dify-openapi account list\n  dify-openapi account list -o json")]
    List {
        #[command(flatten)]
        options: ListOptions,
    },
    /// Disable an account: its tokens and browser sessions end immediately.
    #[command(after_help = "Examples:
  dify-openapi account disable ada@example.com --dry-run
  dify-openapi account disable ada@example.com --yes")]
    Disable {
        /// Email address.
        email: String,
        #[command(flatten)]
        confirmation: ConfirmOptions,
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
        AccountCommand::Create { email, name, workspace, output } => {
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
            let object = json!({
                "id": id.to_string(),
                "email": email,
                "name": name,
                "workspace_id": workspace.map(|id| id.to_string()),
            });
            output.print(format_args!("{name} can sign in as {email} (account {id})"), &object, out)
        }
        AccountCommand::List { options } => {
            let mut listing = Listing::new("accounts", COLUMNS, "email");
            for account in sql.list_accounts().await? {
                listing.push([
                    json!(account.id.to_string()),
                    json!(account.email),
                    json!(account.name),
                    json!(account.status.as_str()),
                ]);
            }
            listing.print(options, out)
        }
        AccountCommand::Disable { email, confirmation } => {
            let selection = RevokeSelection::Account(email.clone());
            operator.require_known(&selection).await?;
            let count = counted(sql.count_selected(&selection).await?, "session");
            let loss = format!("{email} will not be able to sign in, and {count} will end");
            if !confirmation.obtain(loss, out).await? {
                return Ok(());
            }
            let revoked = sql.set_account_status(&email, AccountStatus::Banned, now).await?;
            let published = operator.publish_revocations(&revoked).await;
            print_line(out, format_args!("{email} is disabled; {} ended", counted(revoked.len(), "session")))?;
            published
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
            let published = operator.publish_revocations(&revoked).await;
            let ended = if keep_sessions {
                "its device sessions continue; `dify-openapi token revoke` ends them".to_owned()
            } else {
                format!("{} ended", counted(revoked.len(), "session"))
            };
            print_line(out, format_args!("{email} has a new password; its browser sessions have ended; {ended}"))?;
            published
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
