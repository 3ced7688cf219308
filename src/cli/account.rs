//! `account`: accounts of a standalone server.

use std::io::{BufRead, Write};

use clap::Subcommand;

use super::{
    Failure,
    operator::{Operator, say},
};
use crate::{
    domain::secret::Secret,
    service::password::{self, Passwords},
};

/// What to do with accounts.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Action {
    /// Create an account; its password is read from standard input.
    #[command(
        after_help = "Example:\n  echo 'a long password' | dify-openapi account create ada@example.com --name Ada"
    )]
    Create {
        /// Email address.
        email: String,
        /// Display name [default: the part before the @].
        #[arg(long)]
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
    /// Set an account's password, read from standard input; its browser sessions end immediately.
    #[command(
        after_help = "Example:\n  echo 'another long password' | dify-openapi account set-password ada@example.com"
    )]
    SetPassword {
        /// Email address.
        email: String,
    },
}

/// Reads a password: the first line of the input, without its line end.
pub fn read_password(input: &mut dyn BufRead) -> Result<Secret, Failure> {
    let mut line = zeroize::Zeroizing::new(String::new());
    input.read_line(&mut line).map_err(|cause| {
        Failure::other(format!("the password could not be read ({cause}); pass it on standard input"))
    })?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::usage(
            "no password was given; pass it on standard input, as in `echo … | dify-openapi account …`",
        ));
    }
    Ok(Secret::new(password))
}

/// Runs the command.
pub async fn run(action: Action, out: &mut dyn Write) -> Result<(), Failure> {
    let operator = Operator::standalone().await?;
    let (sql, now) = (&operator.sql, Operator::now());
    match action {
        Action::Create { email, name, workspace } => {
            let hash = hashed(read_password(&mut std::io::stdin().lock())?).await?;
            let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
            let workspace = match &workspace {
                Some(workspace) => Some(operator.workspace(workspace).await?),
                None => None,
            };
            let id = sql.create_account(&email, &name, Some(&hash), now).await?;
            if let Some(workspace) = workspace {
                sql.add_member(workspace, &email, "normal", now).await?;
            }
            say(out, id)
        }
        Action::List => {
            for account in sql.list_accounts().await? {
                say(out, format_args!("{}  {:<10}  {}  {}", account.id, account.status, account.email, account.name))?;
            }
            Ok(())
        }
        Action::Disable { email } => {
            let revoked = sql.set_account_status(&email, "banned", now).await?;
            operator.enforce(&revoked, out).await
        }
        Action::Enable { email } => {
            sql.set_account_status(&email, "active", now).await?;
            say(out, format_args!("{email} can sign in again"))
        }
        Action::SetPassword { email } => {
            let hash = hashed(read_password(&mut std::io::stdin().lock())?).await?;
            sql.set_password(&email, &hash, now).await?;
            say(out, format_args!("{email} has a new password, and its browser sessions have ended"))
        }
    }
}

async fn hashed(password: Secret) -> Result<Secret, Failure> {
    match password::fault(password.expose()) {
        Some(fault) => Err(Failure::usage(fault)),
        None => Ok(Passwords::default().hash(password).await?),
    }
}
