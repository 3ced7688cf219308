//! The connected stores that the operator's commands work on.

use std::{
    io::{self, IsTerminal as _},
    sync::{Arc, atomic::AtomicI64},
};

use chrono::{DateTime, Utc};

use super::{error::CommandError, operator_events};
use crate::{
    app::{self, Dependencies},
    config::{Config, process_env, telemetry::TelemetryConfig},
    domain::{
        account::Account,
        id::{AppId, WorkspaceId},
        session::{RevokeSelection, RevokedSession},
    },
    ports::{
        clock::{Clock, SystemClock},
        state_stores::StateStores,
    },
    service::{connections::Connections, invalidation::Invalidations, token_issuer::TokenIssuer},
    store::sql::SqlStore,
    telemetry::{Output, Telemetry, audit::AuditEvent, origin::set_operator},
};

/// The configuration of the process environment and its SQL store.
pub(super) struct Operator {
    pub config: Config,
    pub sql: Arc<SqlStore>,
    pub standalone: bool,
    telemetry: Telemetry,
}

impl Operator {
    /// Connects to SQL. Does not lock the data directory, since a server may be running. Warnings go to standard error,
    /// and audit events, too, unless it is a terminal.
    pub(super) async fn connect() -> Result<Self, CommandError> {
        let config = Config::for_operator(&process_env)?;
        let quiet = TelemetryConfig { directives: "warn".to_owned(), otlp: None, ..config.telemetry.clone() };
        set_operator(process_env);
        let output = if io::stderr().is_terminal() { Output::Terminal } else { Output::Stderr };
        let telemetry = Telemetry::install(&quiet, output).map_err(CommandError::other)?;
        if config.uses_data_dir() {
            config.create_data_dir()?;
        }
        let (sql, standalone) = app::connect_sql(&config, None).await?;
        operator_events::set_store(&sql);
        Ok(Self { config, sql, standalone, telemetry })
    }

    /// Connects, and fails beside Dify, where Dify manages accounts, workspaces and apps.
    pub(super) async fn standalone() -> Result<Self, CommandError> {
        let operator = Self::connect().await?;
        if operator.standalone {
            Ok(operator)
        } else {
            Err(CommandError::refused(
                "this is Dify's database; manage accounts, workspaces and apps in Dify's console",
            ))
        }
    }

    pub(super) fn token_issuer(&self) -> Result<TokenIssuer, CommandError> {
        let dependencies = Dependencies::system(Arc::clone(&self.telemetry.metrics));
        Ok(app::token_issuer(&self.config, Arc::clone(&self.sql), self.standalone, dependencies)?)
    }

    /// The use cases of connections. Needs no running server.
    pub(super) fn connections(&self) -> Result<Connections, CommandError> {
        let dependencies = Dependencies::system(Arc::clone(&self.telemetry.metrics));
        Ok(app::connections(&self.config, Arc::clone(&self.sql), self.standalone, dependencies)?)
    }

    pub(super) fn now() -> DateTime<Utc> {
        SystemClock.now()
    }

    /// Announces revocations to every running replica, and records an audit event for each.
    pub(super) async fn publish_revocations(&self, revoked: &[RevokedSession]) -> Result<(), CommandError> {
        for session in revoked {
            AuditEvent::SessionRevoked { token_id: session.token_id, by: "operator" }.record();
        }
        Invalidations::new(self.state_stores()?.token_cache).invalidate_sessions(revoked).await.map_err(|_| {
            CommandError::unavailable("the sessions have ended in the database, but Redis is not answering; replicas may accept them for up to 60 more seconds")
        })
    }

    /// Fails if the selection names an unknown session, account or client, so that a typo is not reported as success.
    pub(super) async fn require_known(&self, selection: &RevokeSelection) -> Result<(), CommandError> {
        let configured = match selection {
            RevokeSelection::Client(client) => self.config.oauth.known_client_ids.contains(client),
            _ => false,
        };
        if configured || self.sql.selection_exists(selection).await? {
            return Ok(());
        }
        Err(CommandError::not_found(match selection {
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

    /// Finds an account by its email address.
    pub(super) async fn account(&self, email: &str) -> Result<Account, CommandError> {
        self.sql.find_account_by_email(email).await?.ok_or_else(|| {
            CommandError::not_found(format!("there is no account `{email}`; `dify-openapi account list` lists them"))
        })
    }

    /// Forgets password attempts. Fails without Redis, because the attempts are then in the memory of a server.
    pub(super) async fn forget_login_attempts(&self, keys: &[String]) -> Result<(), CommandError> {
        if self.config.redis.is_none() {
            return Err(CommandError::refused(
                "without Redis, wrong passwords are counted in the server's memory; restart it to forget them",
            ));
        }
        Ok(self.state_stores()?.login_attempts.forget(keys).await?)
    }

    fn state_stores(&self) -> Result<StateStores, CommandError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Ok(app::connect_state(&self.config, &clock, &Arc::new(AtomicI64::new(0)), None, None)?)
    }

    /// Finds an app by id or by its unique name.
    pub(super) async fn app(&self, text: &str) -> Result<AppId, CommandError> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        match self.sql.find_apps_of_name(text).await?.as_slice() {
            [app] => Ok(app.id),
            [] => Err(CommandError::not_found(format!("there is no app `{text}`; `dify-openapi app list` lists them"))),
            _ => Err(CommandError::conflict(format!("several apps are named `{text}`; use the id"))),
        }
    }

    /// Finds a workspace by id or by its unique name.
    pub(super) async fn workspace(&self, text: &str) -> Result<WorkspaceId, CommandError> {
        let all = self.sql.list_workspaces().await?;
        let mut found = all.iter().filter(|workspace| workspace.name == text || workspace.id.to_string() == text);
        match (found.next(), found.next()) {
            (Some(workspace), None) => Ok(workspace.id),
            (None, _) => Err(CommandError::not_found(format!(
                "there is no workspace `{text}`; `dify-openapi workspace list` lists them"
            ))),
            (Some(_), Some(_)) => {
                Err(CommandError::conflict(format!("several workspaces are named `{text}`; use the id")))
            }
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.telemetry.flush();
    }
}
