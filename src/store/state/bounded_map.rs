//! A map that drops expired entries and rejects new ones beyond a bound.

use std::{collections::HashMap, hash::Hash};

use crate::domain::{Error, Result};

/// A map with fewer entries than this is not swept.
const MIN_SWEEP_SIZE: usize = 1_024;
/// A full map is swept at most once per this many microseconds: otherwise each insert during a flood would walk the
/// map.
const MIN_SWEEP_INTERVAL_US: u64 = 1_000_000;

/// A value that expires at some time, in microseconds since the epoch.
pub(super) trait Expires {
    fn is_expired(&self, now_us: u64) -> bool;
}

/// A time of expiry, in microseconds since the epoch.
pub(super) struct ExpiresAt(pub(super) u64);

impl Expires for ExpiresAt {
    fn is_expired(&self, now_us: u64) -> bool {
        now_us >= self.0
    }
}

/// The map. The cost of sweeps is amortised: a sweep runs when the map has doubled since the previous one.
pub(super) struct BoundedMap<K, V> {
    entries: HashMap<K, V>,
    max_entries: usize,
    sweep_at: usize,
    swept_us: Option<u64>,
}

impl<K: Eq + Hash, V: Expires> BoundedMap<K, V> {
    pub(super) fn new(max_entries: usize) -> Self {
        Self { entries: HashMap::new(), max_entries, sweep_at: MIN_SWEEP_SIZE.min(max_entries), swept_us: None }
    }

    /// Returns the entry unless it has expired.
    pub(super) fn get(&self, key: &K, now_us: u64) -> Option<&V> {
        self.entries.get(key).filter(|value| !value.is_expired(now_us))
    }

    /// Removes and returns the entry, also when it has expired.
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.entries.remove(key)
    }

    /// Sets an entry; fails with `service_unavailable` when a new one does not fit.
    pub(super) fn insert(&mut self, key: K, value: V, now_us: u64) -> Result<()> {
        if self.entries.len() >= self.sweep_at && !self.entries.contains_key(&key) {
            self.sweep(now_us);
            if self.entries.len() >= self.max_entries {
                return Err(Error::unavailable("in-process state is full"));
            }
        }
        self.entries.insert(key, value);
        Ok(())
    }

    /// Every entry, also those that have expired and are not dropped yet.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    pub(super) fn drop_expired(&mut self, now_us: u64) {
        self.entries.retain(|_, value| !value.is_expired(now_us));
    }

    fn sweep(&mut self, now_us: u64) {
        let is_recent = self.swept_us.is_some_and(|swept| now_us.saturating_sub(swept) < MIN_SWEEP_INTERVAL_US);
        if is_recent && self.sweep_at >= self.max_entries {
            return;
        }
        self.entries.retain(|_, value| !value.is_expired(now_us));
        self.swept_us = Some(now_us);
        self.sweep_at = (self.entries.len() * 2).clamp(MIN_SWEEP_SIZE.min(self.max_entries), self.max_entries);
    }
}

#[cfg(test)]
mod tests {
    use super::{BoundedMap, ExpiresAt};

    #[test]
    fn full_map_rejects_new_entries_until_one_expires() {
        let mut map = BoundedMap::new(3);
        for key in 0..3 {
            assert!(map.insert(key, ExpiresAt(5_000_000), 0).is_ok());
        }
        assert!(map.insert(3, ExpiresAt(9_000_000), 1).is_err());
        assert!(map.insert(2, ExpiresAt(9_000_000), 1).is_ok(), "an existing entry can be replaced");
        assert!(map.insert(3, ExpiresAt(9_000_000), 5_000_000).is_ok());
        assert_eq!(map.entries.len(), 2);
    }

    #[test]
    fn expired_entries_are_dropped_over_time() {
        let mut map = BoundedMap::new(100_000);
        for key in 0..50_000_u64 {
            assert!(map.insert(key, ExpiresAt(key + 10), key).is_ok());
        }
        assert!(map.entries.len() <= 2_048, "{} entries are left", map.entries.len());
    }
}
