//! A cache of connections that caches nothing, for a server without Redis.
//!
//! The operator's commands run in processes of their own, and what they delete has to be gone at once.

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    domain::{Result, connection::credential::Connection},
    ports::connection_cache::{CachedConnection, CachedSelection, ConnectionCache, ConnectionGroup, Generation},
};

/// A cache that is always empty.
pub(crate) struct MemoryConnectionCache;

#[async_trait]
impl ConnectionCache for MemoryConnectionCache {
    async fn get(&self, _: ConnectionGroup<'_>, _: CachedSelection) -> Result<CachedConnection> {
        Ok(CachedConnection::Closed)
    }

    async fn put(&self, _: ConnectionGroup<'_>, _: CachedSelection, _: &Connection, _: Generation) -> Result<()> {
        Ok(())
    }

    async fn begin_write(&self, _: ConnectionGroup<'_>) -> Result<()> {
        Ok(())
    }

    async fn end_write(&self, _: ConnectionGroup<'_>, _: Uuid) -> Result<()> {
        Ok(())
    }
}
