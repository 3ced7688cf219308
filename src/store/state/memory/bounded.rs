//! A map that forgets what is over and refuses to grow beyond a bound.

use std::{collections::HashMap, hash::Hash};

use crate::domain::{Error, Result};

/// Below this many entries nothing is swept.
const LEAST_SWEEP: usize = 1_024;
/// A full map is swept at most this often, in microseconds: a flood must not make every insert walk it.
const SWEEP_PAUSE_US: u64 = 1_000_000;

/// Something that is over at a time, in microseconds since the epoch.
pub(super) trait Ends {
    fn is_over(&self, now_us: u64) -> bool;
}

/// The map. Sweeps are amortised: one happens when the map has doubled since the last.
pub(super) struct Bounded<K, V> {
    entries: HashMap<K, V>,
    most: usize,
    sweep_at: usize,
    swept_us: Option<u64>,
}

impl<K: Eq + Hash, V: Ends> Bounded<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { entries: HashMap::new(), most, sweep_at: LEAST_SWEEP.min(most), swept_us: None }
    }

    /// A live entry.
    pub(super) fn get(&self, key: &K, now_us: u64) -> Option<&V> {
        self.entries.get(key).filter(|value| !value.is_over(now_us))
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.entries.remove(key)
    }

    /// Sets an entry; `service_unavailable` when there is no room for a new one.
    pub(super) fn insert(&mut self, key: K, value: V, now_us: u64) -> Result<()> {
        if self.entries.len() >= self.sweep_at && !self.entries.contains_key(&key) {
            self.sweep(now_us);
            if self.entries.len() >= self.most {
                return Err(Error::unavailable("in-process state is full"));
            }
        }
        self.entries.insert(key, value);
        Ok(())
    }

    fn sweep(&mut self, now_us: u64) {
        let recent = self.swept_us.is_some_and(|swept| now_us.saturating_sub(swept) < SWEEP_PAUSE_US);
        if recent && self.sweep_at >= self.most {
            return;
        }
        self.entries.retain(|_, value| !value.is_over(now_us));
        self.swept_us = Some(now_us);
        self.sweep_at = (self.entries.len() * 2).clamp(LEAST_SWEEP.min(self.most), self.most);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounded, Ends};

    struct Until(u64);

    impl Ends for Until {
        fn is_over(&self, now_us: u64) -> bool {
            now_us >= self.0
        }
    }

    #[test]
    fn a_full_map_refuses_until_something_is_over() {
        let mut map = Bounded::new(3);
        for key in 0..3 {
            assert!(map.insert(key, Until(5_000_000), 0).is_ok());
        }
        assert!(map.insert(3, Until(9_000_000), 1).is_err());
        assert!(map.insert(2, Until(9_000_000), 1).is_ok(), "an entry that is there may change");
        assert!(map.insert(3, Until(9_000_000), 5_000_000).is_ok());
        assert_eq!(map.len(), 2);
    }

    #[test]
    fn what_is_over_goes_away_by_and_by() {
        let mut map = Bounded::new(100_000);
        for key in 0..50_000_u64 {
            assert!(map.insert(key, Until(key + 10), key).is_ok());
        }
        assert!(map.len() <= 2_048, "{} entries are left", map.len());
    }
}
