//! The cache of connections in Redis: a hash for each group, with its generation, an entry for each selection, and
//! their number. The whole hash expires at once.

use std::{sync::LazyLock, time::Duration};

use async_trait::async_trait;
use uuid::Uuid;

use super::entry::{read, write};
use crate::{
    domain::{Error, Result, connection::credential::Connection},
    ports::connection_cache::{CachedConnection, CachedSelection, ConnectionCache, ConnectionGroup, Generation},
    store::state::redis::{RedisState, script::Script},
};

/// Longest lifetime of an entry, and lifetime of a generation. A fill is rejected later than this after its read.
const LIFETIME: Duration = Duration::from_secs(30);
/// How long nothing is cached after a write whose end was lost.
const CLOSED_LIFETIME: Duration = Duration::from_mins(2);
/// Largest entry in bytes.
const MAX_ENTRY: usize = 16 << 10;
/// Most entries of a group.
const MAX_ENTRIES: usize = 256;
/// The field of the generation.
const GENERATION: &str = "generation";
/// The generation while a write is in progress.
const CLOSED: &str = "closed";

static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(&[include_str!("put.lua")]));
static SET_GENERATION: LazyLock<Script> = LazyLock::new(|| Script::new(&[include_str!("set_generation.lua")]));

fn field(selection: CachedSelection) -> String {
    match selection {
        CachedSelection::Connection(id) => id.to_string(),
        CachedSelection::DefaultOf(account) => format!("default:{account}"),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl RedisState {
    async fn set_generation(&self, group: ConnectionGroup<'_>, generation: &str, lifetime: Duration) -> Result<()> {
        self.eval_without_clock(&SET_GENERATION, &[self.keys().connections(group)], |command| {
            command.arg(generation).arg(millis(lifetime));
        })
        .await
    }
}

#[async_trait]
impl ConnectionCache for RedisState {
    async fn get(&self, group: ConnectionGroup<'_>, selection: CachedSelection) -> Result<CachedConnection> {
        let mut command = redis::cmd("HMGET");
        command.arg(self.keys().connections(group)).arg(field(selection)).arg(GENERATION);
        let (entry, generation): (Option<Vec<u8>>, Option<String>) = self.run(&command).await?;
        let generation = match generation.as_deref().map(Uuid::try_parse) {
            None => Generation(None),
            Some(Ok(generation)) => Generation(Some(generation)),
            Some(Err(_)) => return Ok(CachedConnection::Closed),
        };
        let connection = entry.and_then(|entry| read(group, &entry)).map(Box::new);
        Ok(connection.map_or(CachedConnection::Missing(generation), |found| CachedConnection::Found(found, generation)))
    }

    async fn put(
        &self,
        group: ConnectionGroup<'_>,
        selection: CachedSelection,
        connection: &Connection,
        generation: Generation,
    ) -> Result<()> {
        let entry = write(connection).map_err(Error::internal)?;
        if entry.len() > MAX_ENTRY {
            return Ok(());
        }
        let generation = generation.0.map(|id| id.to_string()).unwrap_or_default();
        self.eval_without_clock(&PUT, &[self.keys().connections(group)], |command| {
            command.arg(&generation).arg(field(selection)).arg(&entry).arg(MAX_ENTRIES).arg(millis(LIFETIME));
        })
        .await
    }

    async fn begin_write(&self, group: ConnectionGroup<'_>) -> Result<()> {
        self.set_generation(group, CLOSED, CLOSED_LIFETIME).await
    }

    async fn end_write(&self, group: ConnectionGroup<'_>, generation: Uuid) -> Result<()> {
        self.set_generation(group, &generation.to_string(), LIFETIME).await
    }
}
