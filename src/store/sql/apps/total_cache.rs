//! A cache for the number of apps of large workspaces.
//!
//! Counting takes time in proportion to the number of apps, a page does not: with ten thousand apps, counting would be
//! most of the cost of a list. A large total is counted once a second at most; small totals are counted each time.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::domain::{app::AppMode, id::WorkspaceId};

/// Totals below are not cached.
const MIN_CACHED_TOTAL: u64 = 1_000;
/// How long a total is used.
const LIFETIME: Duration = Duration::from_secs(1);
/// Limit of entries. Expired ones are dropped first.
const MAX_ENTRIES: usize = 4_096;

/// The workspace, and the mode that the list is narrowed to.
type TotalKey = (WorkspaceId, Option<AppMode>);

#[derive(Default)]
pub(crate) struct TotalCache(Mutex<HashMap<TotalKey, (u64, Instant)>>);

impl TotalCache {
    /// The total, if it was counted within the last second.
    pub(super) fn get(&self, key: TotalKey) -> Option<u64> {
        let totals = self.0.lock();
        totals.get(&key).filter(|(_, at)| at.elapsed() < LIFETIME).map(|(total, _)| *total)
    }

    /// Caches a total if it is large, and drops the previous one if it is not.
    pub(super) fn put(&self, key: TotalKey, total: u64) {
        let mut totals = self.0.lock();
        if total < MIN_CACHED_TOTAL {
            totals.remove(&key);
            return;
        }
        if totals.len() >= MAX_ENTRIES {
            totals.retain(|_, (_, at)| at.elapsed() < LIFETIME);
        }
        if totals.len() < MAX_ENTRIES {
            totals.insert(key, (total, Instant::now()));
        }
    }
}
