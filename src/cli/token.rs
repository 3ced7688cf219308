//! `token`: issues tokens, lists sessions and ends them.

use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    confirmation::ConfirmOptions,
    created_token::{self, NewToken},
    error::CommandError,
    listing::{ListOptions, Listing},
    operator::Operator,
    output::print_line,
    result_format::counted,
    since::Since,
};
use crate::domain::{id::TokenId, session::RevokeSelection};

const COLUMNS: &[&str] = &["id", "account", "client_id", "label", "created_at", "expires_at", "last_used_at"];

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// List live sessions, newest first.
    #[command(
        after_help = "Examples:\n  dify-openapi token list\n  dify-openapi token list --account ada@example.com --client difyctl"
    )]
    List {
        /// Only sessions of the account with this email address.
        #[arg(long, value_name = "EMAIL")]
        account: Option<String>,
        /// Only sessions of this client.
        #[arg(long, value_name = "CLIENT_ID")]
        client: Option<String>,
        #[command(flatten)]
        options: ListOptions,
    },
    /// Issue a token without a browser, for CI and services. It is printed once.
    ///
    /// Its session has the client id `dify-openapi`, is listed and revoked as any other, and counts towards the limit
    /// of sessions of its account.
    #[command(after_help = "Examples:
  dify-openapi token create --account ada@example.com --label ci --ttl 30d
  dify-openapi token create --account ada@example.com --label nightly -o json")]
    Create(NewToken),
    /// End sessions immediately, on every replica. More than one needs a confirmation.
    #[command(after_help = "Examples:
  dify-openapi token revoke --account ada@example.com
  dify-openapi token revoke --since 2026-11-20T08:00:00Z --dry-run    every session issued since then
  dify-openapi token revoke --since 2h --yes")]
    Revoke {
        #[command(flatten)]
        selection: SessionSelection,
        #[command(flatten)]
        confirmation: ConfirmOptions,
    },
}

/// Selects sessions by exactly one option.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct SessionSelection {
    /// One session.
    #[arg(long, value_name = "UUID")]
    id: Option<TokenId>,
    /// Every session of the account with this email address.
    #[arg(long, value_name = "EMAIL")]
    account: Option<String>,
    /// Every session of this client.
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<String>,
    /// Every session issued since then: an RFC 3339 time, a date, or an age like 90m, 2h or 3d.
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
}

impl SessionSelection {
    /// As the domain's selection. `now` resolves `--since 2h`. Never `None`: clap's group requires one option.
    pub(crate) fn resolve(self, now: DateTime<Utc>) -> Option<RevokeSelection> {
        let since = self.since.map(|since| RevokeSelection::Since(since.resolve(now)));
        self.id
            .map(RevokeSelection::Id)
            .or(self.account.map(RevokeSelection::Account))
            .or(self.client.map(RevokeSelection::Client))
            .or(since)
    }
}

pub(crate) async fn run(command: TokenCommand, out: &mut dyn Write) -> Result<(), CommandError> {
    let operator = Operator::connect().await?;
    let now = Operator::now();
    match command {
        TokenCommand::List { account, client, options } => {
            let named = [account.clone().map(RevokeSelection::Account), client.clone().map(RevokeSelection::Client)];
            for selection in named.iter().flatten() {
                operator.require_known(selection).await?;
            }
            // One more than is printed shows that there are more.
            let limit = options.limit() as u64 + 1;
            let sessions = operator.sql.list_all_sessions(account.as_deref(), client.as_deref(), limit, now).await?;
            let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
            let mut listing = Listing::new("live sessions", COLUMNS, "id");
            for (email, session) in sessions {
                listing.push([
                    json!(session.id.to_string()),
                    json!(email),
                    json!(session.client_id),
                    json!(session.device_label),
                    json!(time(session.created_at)),
                    json!(time(session.expires_at)),
                    json!(session.last_used_at.map(time)),
                ]);
            }
            listing.print(options, out)
        }
        TokenCommand::Create(new) => created_token::create(&operator, new, out).await,
        TokenCommand::Revoke { selection, confirmation } => {
            let Some(selection) = selection.resolve(now) else {
                return Err(CommandError::usage("choose the sessions with --id, --account, --client or --since"));
            };
            let count = operator.sql.count_selected(&selection).await?;
            if count == 0 {
                operator.require_known(&selection).await?;
            }
            let loss = format!("this ends {}", counted(count as u64, "session"));
            if (count > 1 || confirmation.is_dry_run()) && !confirmation.obtain(loss, out).await? {
                return Ok(());
            }
            let revoked = operator.sql.revoke_selected(&selection, now).await?;
            let published = operator.publish_revocations(&revoked).await;
            print_line(out, format_args!("{} ended", counted(revoked.len() as u64, "session")))?;
            published
        }
    }
}
