//! The cache of sealed connections that all replicas share, and what happens while it is unavailable.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;

use crate::{
    domain::{Result, connection::credential::Connection, id::WorkspaceId},
    ports::{
        clock::Clock,
        connection_cache::{CachedConnection, CachedSelection, ConnectionCache, ConnectionGroup, Generation},
        entropy::Entropy,
    },
};

/// How long this process does not use the cache after a failure of it. Entries that were not removed have expired then.
const DISTRUST: TimeDelta = TimeDelta::seconds(35);
/// A connection is not cached when it comes later than this after its read began. Generations live longer.
const FILL_WINDOW: Duration = Duration::from_secs(5);
/// Most groups whose removal is tried again. Entries of others expire.
const MAX_PENDING: usize = 10_000;

/// The answer of the cache.
pub(super) enum Lookup {
    /// A connection, and a permit to replace it.
    Found(Box<Connection>, Fill),
    /// SQL decides. With a permit its answer may be cached.
    Missing(Option<Fill>),
}

/// Permits to cache what is read from SQL after it.
pub(super) struct Fill {
    selection: CachedSelection,
    generation: Generation,
    /// Monotonic time, so that a change of the wall clock does not permit a late fill.
    began: Instant,
}

/// Reads and writes with the cache.
pub(super) struct SharedCache {
    cache: Arc<dyn ConnectionCache>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// The last failure of the cache. Other replicas may have changed connections since, without removing entries.
    failed_at: Mutex<Option<DateTime<Utc>>>,
    /// Groups whose entries could not be removed, with the time of the write.
    pending: Mutex<HashMap<(WorkspaceId, String), DateTime<Utc>>>,
}

impl SharedCache {
    pub(super) fn new(cache: Arc<dyn ConnectionCache>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { cache, clock, entropy, failed_at: Mutex::default(), pending: Mutex::default() }
    }

    pub(super) async fn find(&self, group: ConnectionGroup<'_>, selection: CachedSelection) -> Lookup {
        let (now, began) = (self.clock.now(), Instant::now());
        if self.failed_at.lock().is_some_and(|at| is_recent(at, now)) {
            return Lookup::Missing(None);
        }
        match self.noted(self.cache.get(group, selection).await) {
            Ok(CachedConnection::Found(connection, generation)) => {
                Lookup::Found(connection, Fill { selection, generation, began })
            }
            Ok(CachedConnection::Missing(generation)) => Lookup::Missing(Some(Fill { selection, generation, began })),
            Ok(CachedConnection::Closed) | Err(_) => Lookup::Missing(None),
        }
    }

    /// Caches a connection that SQL has returned. Best effort: without the entry the next request reads SQL again.
    pub(super) async fn fill(&self, connection: &Connection, fill: Fill) {
        if fill.began.elapsed() < FILL_WINDOW {
            let group = ConnectionGroup { workspace: connection.workspace_id, provider: &connection.provider };
            let put = self.cache.put(group, fill.selection, connection, fill.generation).await;
            // The next request finds out whether it was put.
            let _ = self.noted(put);
        }
    }

    /// Executes a write of connections of a group. Afterwards nothing is cached that was read before or during it, also
    /// when the write has failed or was cancelled: it may have been executed.
    ///
    /// While the cache is unavailable the removal is tried again every second, and this process does not use the cache.
    /// Another replica that still reaches it may use an old entry for the rest of its 30 s.
    pub(super) async fn write<T>(
        &self,
        group: ConnectionGroup<'_>,
        write: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let generation = self.entropy.uuid_v4()?;
        // Side by side, so that a slow cache does not delay the storing of a token that the provider has rotated.
        let (begun, result) = tokio::join!(self.cache.begin_write(group), write);
        let begun = self.noted(begun);
        let ended = self.noted(self.cache.end_write(group, generation).await);
        // A write that has begun ends by itself.
        if begun.is_err()
            && let Err(error) = ended
        {
            tracing::warn!(
                workspace_id = %group.workspace, provider = group.provider, error = &error as &dyn std::error::Error,
                "the shared cache may hold old connections for up to 30 s"
            );
            let mut pending = self.pending.lock();
            if pending.len() < MAX_PENDING {
                pending.insert((group.workspace, group.provider.to_owned()), self.clock.now());
            }
        }
        result
    }

    /// Tries removals again that have failed.
    pub(super) async fn retry(&self) {
        let pending: Vec<_> = self.pending.lock().iter().map(|(group, at)| (group.clone(), *at)).collect();
        for (key, at) in pending {
            let group = ConnectionGroup { workspace: key.0, provider: &key.1 };
            let Ok(generation) = self.entropy.uuid_v4() else { break };
            let is_over = !is_recent(at, self.clock.now());
            if !is_over && self.noted(self.cache.end_write(group, generation).await).is_err() {
                break;
            }
            let mut pending = self.pending.lock();
            // Another write may have failed meanwhile.
            if pending.get(&key) == Some(&at) {
                pending.remove(&key);
            }
        }
    }

    /// Records a failure of the cache.
    fn noted<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            *self.failed_at.lock() = Some(self.clock.now());
        }
        result
    }
}

/// A clock that was set back ends the time, too.
fn is_recent(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    at <= now && now - at < DISTRUST
}
