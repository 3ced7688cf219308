//! The JSON of a cached connection. Its values stay sealed.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    domain::{
        connection::credential::{Connection, ConnectionHealth, ConnectionStatus},
        id::{AccountId, ConnectionId},
        secret::Secret,
        stored::StoredWord as _,
    },
    ports::connection_cache::ConnectionGroup,
};

#[derive(Serialize, Deserialize)]
struct StoredEntry<'a> {
    id: Uuid,
    owner: Uuid,
    name: Cow<'a, str>,
    kind: Cow<'a, str>,
    visibility: Cow<'a, str>,
    is_default: bool,
    sealed: Cow<'a, str>,
    expires_at: i64,
    created_us: i64,
    updated_us: i64,
    status: Cow<'a, str>,
    reason: Option<Cow<'a, str>>,
    failures: u32,
    retry_us: Option<i64>,
    used_us: Option<i64>,
}

pub(super) fn write(connection: &Connection) -> serde_json::Result<String> {
    let health = &connection.health;
    serde_json::to_string(&StoredEntry {
        id: connection.id.0,
        owner: connection.owner.0,
        name: connection.name.as_str().into(),
        kind: connection.kind.as_str().into(),
        visibility: connection.visibility.as_str().into(),
        is_default: connection.is_default,
        sealed: connection.sealed.expose().into(),
        expires_at: connection.expires_at,
        created_us: connection.created_at.timestamp_micros(),
        updated_us: connection.updated_at.timestamp_micros(),
        status: health.status.as_str().into(),
        reason: health.reason.as_ref().map(|reason| reason.as_str().into()),
        failures: health.failures,
        retry_us: health.retry_at.map(|at| at.timestamp_micros()),
        used_us: health.last_used_at.map(|at| at.timestamp_micros()),
    })
}

/// `None` for anything that [`write`] has not written.
pub(super) fn read(group: ConnectionGroup<'_>, json: &[u8]) -> Option<Connection> {
    let entry: StoredEntry<'_> = serde_json::from_slice(json).ok()?;
    let optional = |us: Option<i64>| us.map_or(Some(None), |us| time(us).map(Some));
    Some(Connection {
        id: ConnectionId(entry.id),
        workspace_id: group.workspace,
        owner: AccountId(entry.owner),
        provider: group.provider.to_owned(),
        name: entry.name.into_owned(),
        kind: entry.kind.into_owned().into(),
        visibility: entry.visibility.into_owned().into(),
        is_default: entry.is_default,
        sealed: Secret::new(entry.sealed.into_owned()),
        expires_at: entry.expires_at,
        created_at: time(entry.created_us)?,
        updated_at: time(entry.updated_us)?,
        health: ConnectionHealth {
            status: ConnectionStatus::parse(&entry.status)?,
            reason: entry.reason.map(|reason| reason.into_owned().into()),
            failures: entry.failures,
            retry_at: optional(entry.retry_us)?,
            last_used_at: optional(entry.used_us)?,
        },
    })
}

fn time(us: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(us)
}
