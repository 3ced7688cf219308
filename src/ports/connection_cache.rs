//! The cache of sealed connections that all replicas share, so that a read of credentials needs no SQL.
//!
//! There is none without Redis, and none beside Dify, which writes the same tables and would not remove what is cached
//! here.

use async_trait::async_trait;
use uuid::Uuid;

use crate::domain::{
    Result,
    connection::credential::Connection,
    id::{AccountId, ConnectionId, WorkspaceId},
};

/// The connections of a workspace to a provider. A write of one of them removes everything that is cached of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionGroup<'a> {
    pub workspace: WorkspaceId,
    /// `organization/plugin/provider`.
    pub provider: &'a str,
}

/// Which connection of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CachedSelection {
    Connection(ConnectionId),
    /// The connection that an account uses when it names none.
    DefaultOf(AccountId),
}

/// The state of a group between two writes. `None` when there was no write lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(pub Option<Uuid>);

/// What is cached.
#[derive(Clone, Debug)]
pub enum CachedConnection {
    /// A connection, and the generation of its group.
    Found(Box<Connection>, Generation),
    /// Nothing. What is read from SQL after this may be cached while the group has this generation.
    Missing(Generation),
    /// Nothing, and nothing may be cached: a write is in progress.
    Closed,
}

/// Caches rows as they are stored: sealed. Every method is one atomic step and fails with `service_unavailable`.
#[async_trait]
pub trait ConnectionCache: Send + Sync + 'static {
    async fn get(&self, group: ConnectionGroup<'_>, selection: CachedSelection) -> Result<CachedConnection>;

    /// Caches a connection for at most 30 s. Does nothing when the group has another generation, has too many entries,
    /// or when the connection is too large.
    async fn put(
        &self,
        group: ConnectionGroup<'_>,
        selection: CachedSelection,
        connection: &Connection,
        generation: Generation,
    ) -> Result<()>;

    /// Begins a write: removes what is cached of the group. Nothing is cached until the write ends, or for 120 s.
    async fn begin_write(&self, group: ConnectionGroup<'_>) -> Result<()>;

    /// Ends a write: removes what is cached of the group, and rejects what was read before. `generation` is a new one.
    async fn end_write(&self, group: ConnectionGroup<'_>, generation: Uuid) -> Result<()>;
}
