//! `account`: accounts of a standalone server.

use std::{io::Write, net::IpAddr};

use clap::Subcommand;
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
    password,
    result_format::{ResultFormat, counted},
};
use crate::{
    domain::{
        account::{AccountStatus, EndedSessions},
        caller::ClientAddress,
        login_limit::lock_keys,
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
    /// Create an account; its password is prompted for, or read from standard input when that is piped.
    #[command(after_help = "Examples:
  dify-openapi account create ada@example.com --name Ada
  echo 'a long password' | dify-openapi account create ada@example.com")]
    Create {
        /// Email address.
        #[arg(value_parser = email_address)]
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
        #[arg(value_parser = email_address)]
        email: String,
        #[command(flatten)]
        confirmation: ConfirmOptions,
    },
    /// Enable a disabled account.
    #[command(after_help = "Example:\n  dify-openapi account enable ada@example.com")]
    Enable {
        /// Email address.
        #[arg(value_parser = email_address)]
        email: String,
    },
    /// Give an account another display name.
    #[command(after_help = "Example:\n  dify-openapi account rename ada@example.com Ada")]
    Rename {
        /// Email address.
        #[arg(value_parser = email_address)]
        email: String,
        /// Its new display name.
        #[arg(value_parser = display_name)]
        name: String,
    },
    /// Delete an account: its sessions end, and it leaves its workspaces. What it made stays.
    #[command(after_help = "Examples:
  dify-openapi account delete ada@example.com --dry-run
  dify-openapi account delete ada@example.com --yes")]
    Delete {
        /// Email address.
        #[arg(value_parser = email_address)]
        email: String,
        #[command(flatten)]
        confirmation: ConfirmOptions,
    },
    /// Forget an account's wrong passwords, so that it can sign in before its lock ends.
    #[command(after_help = "Examples:
  dify-openapi account unlock ada@example.com
  dify-openapi account unlock ada@example.com --address 192.0.2.7")]
    Unlock {
        /// Email address.
        #[arg(value_parser = email_address)]
        email: String,
        /// Also forget those that were typed at this address, which wait longer after each one. The audit event
        /// `login.locked` has it.
        #[arg(long, value_name = "IP")]
        address: Option<IpAddr>,
    },
    /// Give a member of a workspace another role.
    #[command(after_help = "Example:\n  dify-openapi account set-role ada@example.com editor --workspace Research")]
    SetRole {
        /// Email address.
        #[arg(value_parser = email_address)]
        email: String,
        /// Its role.
        #[arg(value_enum)]
        role: WorkspaceRole,
        /// The workspace, by id, or by name if it is unique.
        #[arg(long)]
        workspace: String,
    },
    /// Set an account's password, prompted for or piped in. Its browser and device sessions end immediately. An invited
    /// account can sign in from then on.
    #[command(after_help = "Examples:
  dify-openapi account set-password ada@example.com
  dify-openapi account set-password ada@example.com --keep-sessions
  echo 'another long password' | dify-openapi account set-password ada@example.com")]
    SetPassword {
        /// Email address.
        #[arg(value_parser = email_address)]
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
            let count = counted(sql.count_selected(&selection).await? as u64, "session");
            let loss = format!("{email} will not be able to sign in, and {count} will end");
            if !confirmation.obtain(loss, out).await? {
                return Ok(());
            }
            let revoked = sql.set_account_status(&email, AccountStatus::Banned, now).await?;
            let published = operator.publish_revocations(&revoked).await;
            print_line(out, format_args!("{email} is disabled; {} ended", counted(revoked.len() as u64, "session")))?;
            published
        }
        AccountCommand::Enable { email } => {
            sql.set_account_status(&email, AccountStatus::Active, now).await?;
            print_line(out, format_args!("{email} can sign in again"))
        }
        AccountCommand::Rename { email, name } => {
            let account = operator.account(&email).await?;
            sql.rename_account(account.id, &name, now).await?;
            print_line(out, format_args!("{email} is named {name}"))
        }
        AccountCommand::Delete { email, confirmation } => delete(&operator, &email, confirmation, out).await,
        AccountCommand::Unlock { email, address } => {
            operator.account(&email).await?;
            operator.forget_login_attempts(&lock_keys(&email, address.map(ClientAddress))).await?;
            print_line(out, format_args!("the wrong passwords of {email} are forgotten"))
        }
        AccountCommand::SetRole { email, role, workspace } => {
            membership::set_role(&operator, &workspace, &email, role, out).await
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
                format!("{} ended", counted(revoked.len() as u64, "session"))
            };
            print_line(out, format_args!("{email} has a new password; its browser sessions have ended; {ended}"))?;
            published
        }
    }
}

async fn delete(
    operator: &Operator,
    email: &str,
    confirmation: ConfirmOptions,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let account = operator.account(email).await?;
    let sessions = operator.sql.count_selected(&RevokeSelection::Account(email.to_owned())).await?;
    let private = operator.sql.list_private_connections(account.id).await?;
    let private_count = counted(private.len() as u64, "private connection");
    let loss =
        format!("{email} will be deleted with {private_count}, and {} will end", counted(sessions as u64, "session"));
    if !confirmation.obtain(loss, out).await? {
        return Ok(());
    }
    let connections = operator.connections()?;
    let revoked = operator.sql.delete_account(account.id, Operator::now()).await?;
    connections.revoke_deleted(private).await;
    let published = operator.publish_revocations(&revoked).await;
    let ended = counted(revoked.len() as u64, "session");
    print_line(out, format_args!("{email} is deleted with {private_count}; {ended} ended"))?;
    published
}

/// The hash of a password that follows the rules.
async fn checked_hash(password: Secret) -> Result<Secret, CommandError> {
    match unacceptable(password.expose()) {
        Some(reason) => Err(CommandError::usage(reason)),
        None => Ok(Passwords::new(&MemoryLedger::unlimited())?.hash(password).await?),
    }
}
