//! The JSON of a cached connection. Its values stay sealed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    domain::{
        connection::credential::{Connection, ConnectionHealth, ConnectionStatus},
        id::{AccountId, ConnectionId},
        secret::Secret,
        stored::{StoredValue, StoredWord as _},
    },
    ports::connection_cache::ConnectionGroup,
};

#[derive(Serialize)]
struct EntryToWrite<'a> {
    id: Uuid,
    owner: Uuid,
    name: &'a str,
    kind: &'a str,
    visibility: &'a str,
    is_default: bool,
    sealed: &'a str,
    expires_at: i64,
    created_us: i64,
    updated_us: i64,
    status: &'a str,
    reason: Option<&'a str>,
    failures: u32,
    retry_us: Option<i64>,
    used_us: Option<i64>,
}

#[derive(Deserialize)]
struct StoredEntry {
    id: Uuid,
    owner: Uuid,
    name: String,
    kind: String,
    visibility: String,
    is_default: bool,
    sealed: String,
    expires_at: i64,
    created_us: i64,
    updated_us: i64,
    status: String,
    reason: Option<String>,
    failures: u32,
    retry_us: Option<i64>,
    used_us: Option<i64>,
}

pub(super) fn write(connection: &Connection) -> serde_json::Result<String> {
    let health = &connection.health;
    serde_json::to_string(&EntryToWrite {
        id: connection.id.0,
        owner: connection.owner.0,
        name: &connection.name,
        kind: connection.kind.as_str(),
        visibility: connection.visibility.as_str(),
        is_default: connection.is_default,
        sealed: connection.sealed.expose(),
        expires_at: connection.expires_at,
        created_us: connection.created_at.timestamp_micros(),
        updated_us: connection.updated_at.timestamp_micros(),
        status: health.status.as_str(),
        reason: health.reason.as_ref().map(StoredValue::as_str),
        failures: health.failures,
        retry_us: health.retry_at.map(|at| at.timestamp_micros()),
        used_us: health.last_used_at.map(|at| at.timestamp_micros()),
    })
}

/// `None` for anything that [`write`] has not written.
pub(super) fn read(group: ConnectionGroup<'_>, json: &[u8]) -> Option<Connection> {
    let entry: StoredEntry = serde_json::from_slice(json).ok()?;
    let optional = |us: Option<i64>| us.map_or(Some(None), |us| time(us).map(Some));
    Some(Connection {
        id: ConnectionId(entry.id),
        workspace_id: group.workspace,
        owner: AccountId(entry.owner),
        provider: group.provider.to_owned(),
        name: entry.name,
        kind: entry.kind.into(),
        visibility: entry.visibility.into(),
        is_default: entry.is_default,
        sealed: Secret::new(entry.sealed),
        expires_at: entry.expires_at,
        created_at: time(entry.created_us)?,
        updated_at: time(entry.updated_us)?,
        health: ConnectionHealth {
            status: ConnectionStatus::parse(&entry.status)?,
            reason: entry.reason.map(StoredValue::from),
            failures: entry.failures,
            retry_at: optional(entry.retry_us)?,
            last_used_at: optional(entry.used_us)?,
        },
    })
}

fn time(us: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(us)
}
