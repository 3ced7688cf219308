//! What the operator's commands stand on: the stores of the configuration, checked for what they are about to do.

use std::{
    io::Write,
    sync::{Arc, atomic::AtomicI64},
};

use chrono::{DateTime, Utc};

use super::{Failure, output::say};
use crate::{
    app,
    config::{Config, DataDirLock, data_dir, process_env, telemetry::TelemetryConfig},
    domain::{
        id::WorkspaceId,
        session::{RevokeSelection, RevokedSession},
    },
    ports::{
        clock::{Clock as _, SystemClock},
        state::State,
    },
    service::invalidation::Invalidations,
    store::sql::SqlStore,
    telemetry::{Output, Telemetry, audit::AuditEvent},
};

/// The stores of the process environment.
pub(super) struct Operator {
    pub config: Config,
    pub sql: Arc<SqlStore>,
    pub standalone: bool,
    telemetry: Telemetry,
}

impl Operator {
    /// Connects to SQL. Commands do not lock the data directory: they work beside a running server. What is worth a warning
    /// or an audit event goes to standard error.
    pub(super) async fn connect() -> Result<Self, Failure> {
        let config = Config::for_operator(&process_env)?;
        let quiet = TelemetryConfig { directives: "warn".to_owned(), otlp: None, ..config.telemetry.clone() };
        let telemetry = Telemetry::install(&quiet, Output::Stderr).map_err(Failure::other)?;
        if config.uses_data_dir() {
            data_dir::make(&config.data_dir).map_err(Failure::other)?;
        }
        let (sql, standalone) = app::connect_sql(&config).await?;
        Ok(Self { config, sql, standalone, telemetry })
    }

    /// The same for commands about people and apps: beside Dify those are Dify's.
    pub(super) async fn standalone() -> Result<Self, Failure> {
        let operator = Self::connect().await?;
        if operator.standalone {
            Ok(operator)
        } else {
            Err(Failure::usage("this is Dify's database; manage accounts, workspaces and apps in Dify's console"))
        }
    }

    /// Now.
    pub(super) fn now() -> DateTime<Utc> {
        SystemClock.now()
    }

    /// Makes revocations count on every running replica, and says how many there were. Each leaves its audit event.
    pub(super) async fn enforce(&self, revoked: &[RevokedSession], out: &mut dyn Write) -> Result<(), Failure> {
        for session in revoked {
            AuditEvent::SessionRevoked { token_id: session.token_id, by: "operator" }.record();
        }
        let state: Arc<dyn State> =
            app::connect_state(&self.config, Arc::new(SystemClock), &Arc::new(AtomicI64::new(0)))?;
        let marked = Invalidations::new(state).revoked(revoked).await;
        say(out, format_args!("{} session(s) ended", revoked.len()))?;
        marked.map_err(|_| {
            Failure::other("the sessions have ended in the database, but Redis is not answering; replicas may accept them for up to 60 more seconds")
        })
    }

    /// That there is, or was, what somebody selected: of a typo it must not look as if nothing were left to do.
    pub(super) async fn expect_known(&self, selection: &RevokeSelection) -> Result<(), Failure> {
        let configured = match selection {
            RevokeSelection::Client(client) => self.config.oauth.known_client_ids.contains(client),
            _ => false,
        };
        if configured || self.sql.selection_exists(selection).await? {
            return Ok(());
        }
        Err(Failure::usage(match selection {
            RevokeSelection::Id(id) => format!("there is no session {id}; `dify-openapi token list` lists them"),
            RevokeSelection::Account(email) if self.standalone => {
                format!("there is no account `{email}`; `dify-openapi account list` lists them")
            }
            RevokeSelection::Account(email) => {
                format!("there is no account `{email}`; `dify-openapi token list` tells whose sessions there are")
            }
            RevokeSelection::Client(client) => {
                format!(
                    "no session was ever issued to a client `{client}`; `dify-openapi token list` names the clients"
                )
            }
            RevokeSelection::Since(moment) => format!("no session was issued since {moment}"),
        }))
    }

    /// A workspace by id, or by name where only one has it.
    pub(super) async fn workspace(&self, text: &str) -> Result<WorkspaceId, Failure> {
        let all = self.sql.list_workspaces().await?;
        let mut found = all.iter().filter(|workspace| workspace.name == text || workspace.id.to_string() == text);
        match (found.next(), found.next()) {
            (Some(workspace), None) => Ok(workspace.id),
            (None, _) => {
                Err(Failure::usage(format!("there is no workspace `{text}`; `dify-openapi workspace list` lists them")))
            }
            (Some(_), Some(_)) => Err(Failure::usage(format!("several workspaces are named `{text}`; use the id"))),
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.telemetry.flush();
    }
}

/// Makes sure a data directory is ours before anything in it is written.
pub(super) fn lock_if_used(config: &Config) -> Result<Option<DataDirLock>, Failure> {
    config.uses_data_dir().then(|| DataDirLock::acquire(&config.data_dir)).transpose().map_err(Failure::other)
}
