//! `token`: sessions, and the incident switch.

use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};

use super::{Failure, operator::Operator, output::say, since::Since};
use crate::domain::{id::TokenId, session::RevokeSelection};

/// Sessions listed at most.
const LISTED: u64 = 1_000;

/// What to do with sessions.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Action {
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
    },
    /// End sessions immediately, on every replica.
    #[command(after_help = "Examples:
  dify-openapi token revoke --account ada@example.com
  dify-openapi token revoke --since 2026-11-20T08:00:00Z    every session issued since then
  dify-openapi token revoke --since 2h")]
    Revoke(Selection),
}

/// Which sessions: exactly one of these.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Selection {
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

impl Selection {
    /// In the domain's words. `now` resolves `--since 2h`. `None` cannot be typed: the group requires one.
    pub(crate) fn resolve(self, now: DateTime<Utc>) -> Option<RevokeSelection> {
        let since = self.since.map(|since| RevokeSelection::Since(since.resolve(now)));
        self.id
            .map(RevokeSelection::Id)
            .or(self.account.map(RevokeSelection::Account))
            .or(self.client.map(RevokeSelection::Client))
            .or(since)
    }
}

/// Runs the command.
pub(crate) async fn run(action: Action, out: &mut dyn Write) -> Result<(), Failure> {
    let operator = Operator::connect().await?;
    let now = Operator::now();
    match action {
        Action::List { account, client } => {
            let named = [account.clone().map(RevokeSelection::Account), client.clone().map(RevokeSelection::Client)];
            for selection in named.iter().flatten() {
                operator.expect_known(selection).await?;
            }
            let sessions = operator.sql.list_all_sessions(account.as_deref(), client.as_deref(), LISTED, now).await?;
            for (email, session) in sessions {
                let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
                let (created, expires) = (time(session.created_at), time(session.expires_at));
                let (id, client, label) = (session.id, session.client_id, session.device_label);
                say(out, format_args!("{id}  {created}  until {expires}  {email}  {client}  {label}"))?;
            }
            Ok(())
        }
        Action::Revoke(selection) => {
            let Some(selection) = selection.resolve(now) else {
                return Err(Failure::usage("choose the sessions with --id, --account, --client or --since"));
            };
            let revoked = operator.sql.revoke_selected(&selection, now).await?;
            if revoked.is_empty() {
                operator.expect_known(&selection).await?;
            }
            operator.enforce(&revoked, out).await
        }
    }
}
