//! Values that one process keeps for a limited time. The caller provides the time.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

/// A cache whose entries expire, and which evicts the oldest entry when it is full.
pub(crate) struct ExpiringCache<K, V> {
    lifetime: TimeDelta,
    capacity: usize,
    entries: Mutex<Entries<K, V>>,
}

struct Entries<K, V> {
    by_key: HashMap<K, Entry<V>>,
    /// The keys in the order of their insertion. A key is repeated when its entry was replaced.
    order: VecDeque<(K, DateTime<Utc>)>,
}

struct Entry<V> {
    since: DateTime<Utc>,
    /// Empty while the value is loaded.
    value: Arc<OnceCell<V>>,
}

impl<K: Eq + Hash + Clone, V: Clone> ExpiringCache<K, V> {
    pub(crate) fn new(lifetime: TimeDelta, capacity: usize) -> Self {
        let entries = Entries { by_key: HashMap::new(), order: VecDeque::new() };
        Self { lifetime, capacity, entries: Mutex::new(entries) }
    }

    pub(crate) fn get(&self, key: &K, now: DateTime<Utc>) -> Option<V> {
        let entries = self.entries.lock();
        let entry = entries.by_key.get(key).filter(|entry| self.is_alive(entry.since, now))?;
        entry.value.get().cloned()
    }

    pub(crate) fn insert(&self, key: K, value: V, now: DateTime<Utc>) {
        self.insert_cell(&mut self.entries.lock(), key, OnceCell::new_with(Some(value)), now);
    }

    /// The value of a key, loaded if it is missing. Concurrent callers load it once, unless that fails.
    pub(crate) async fn get_or_try_load<E, F: Future<Output = Result<V, E>>>(
        &self,
        key: &K,
        now: DateTime<Utc>,
        load: impl FnOnce() -> F,
    ) -> Result<V, E> {
        let cell = {
            let mut entries = self.entries.lock();
            match entries.by_key.get(key).filter(|entry| self.is_alive(entry.since, now)) {
                Some(entry) => Arc::clone(&entry.value),
                None => self.insert_cell(&mut entries, key.clone(), OnceCell::new(), now),
            }
        };
        cell.get_or_try_init(load).await.cloned()
    }

    /// Removes the value of a key if it meets a condition.
    pub(crate) fn remove_if(&self, key: &K, condition: impl FnOnce(&V) -> bool) {
        let mut entries = self.entries.lock();
        if entries.by_key.get(key).and_then(|entry| entry.value.get()).is_some_and(condition) {
            entries.by_key.remove(key);
        }
    }

    /// A clock that was set back ends the lifetime, too.
    fn is_alive(&self, since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        since <= now && now - since < self.lifetime
    }

    /// Inserts an entry, and removes the expired ones and the oldest ones beyond the capacity.
    fn insert_cell(
        &self,
        entries: &mut Entries<K, V>,
        key: K,
        cell: OnceCell<V>,
        now: DateTime<Utc>,
    ) -> Arc<OnceCell<V>> {
        let value = Arc::new(cell);
        entries.by_key.insert(key.clone(), Entry { since: now, value: Arc::clone(&value) });
        entries.order.push_back((key, now));
        while let Some((key, since)) = entries.order.front()
            && (entries.order.len() > self.capacity || !self.is_alive(*since, now))
        {
            // The key may have a newer entry.
            if entries.by_key.get(key).is_some_and(|entry| entry.since == *since) {
                entries.by_key.remove(key);
            }
            entries.order.pop_front();
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn after(seconds: i64) -> DateTime<Utc> {
        START + TimeDelta::seconds(seconds)
    }

    fn cache(capacity: usize) -> ExpiringCache<usize, char> {
        ExpiringCache::new(TimeDelta::seconds(60), capacity)
    }

    #[test]
    fn value_is_kept_for_its_lifetime() {
        let cache = cache(10);
        assert_eq!(cache.get(&1, START), None);
        cache.insert(1, 'a', START);
        assert_eq!(cache.get(&1, after(59)), Some('a'));
        assert_eq!(cache.get(&1, after(60)), None);
        assert_eq!(cache.get(&1, after(-1)), None);
    }

    #[test]
    fn oldest_value_is_evicted_from_a_full_cache() {
        let cache = cache(3);
        for (key, value) in [(1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')] {
            cache.insert(key, value, START);
        }
        assert_eq!([1, 2, 3, 4].map(|key| cache.get(&key, START)), [None, Some('b'), Some('c'), Some('d')]);
    }

    #[test]
    fn expired_values_are_removed_from_memory() {
        let cache = cache(10);
        cache.insert(1, 'a', START);
        cache.insert(2, 'b', after(30));
        cache.insert(3, 'c', after(60));
        let entries = cache.entries.lock();
        assert_eq!((entries.by_key.contains_key(&1), entries.by_key.len(), entries.order.len()), (false, 2, 2));
    }

    #[test]
    fn replaced_value_lives_as_long_as_the_new_one_and_memory_stays_bounded() {
        let cache = cache(3);
        cache.insert(1, 'a', START);
        cache.insert(1, 'b', after(30));
        cache.insert(2, 'c', after(60));
        assert_eq!(cache.get(&1, after(60)), Some('b'));
        for second in 61..80 {
            cache.insert(1, 'd', after(second));
        }
        assert_eq!(cache.entries.lock().order.len(), 3);
        assert_eq!(cache.get(&1, after(80)), Some('d'));
    }

    #[test]
    fn value_is_removed_on_a_condition() {
        let cache = cache(3);
        cache.insert(1, 'a', START);
        cache.remove_if(&1, |value| *value == 'b');
        assert_eq!(cache.get(&1, START), Some('a'));
        cache.remove_if(&1, |value| *value == 'a');
        assert_eq!(cache.get(&1, START), None);
    }

    #[tokio::test]
    async fn concurrent_callers_load_a_value_once_and_again_after_an_error() {
        let (cache, loads) = (cache(3), Mutex::new(0));
        let load = |result: Result<char, ()>| {
            let (cache, loads) = (&cache, &loads);
            cache.get_or_try_load(&1, START, move || async move {
                *loads.lock() += 1;
                tokio::task::yield_now().await;
                result
            })
        };
        assert_eq!(load(Err(())).await, Err(()));
        assert_eq!(cache.get(&1, START), None);
        assert_eq!(tokio::join!(load(Ok('a')), load(Ok('b'))), (Ok('a'), Ok('a')));
        assert_eq!(*loads.lock(), 2);
        let late = cache.get_or_try_load(&1, after(60), || async { Ok::<_, Infallible>('c') }).await;
        assert_eq!(late, Ok('c'));
    }
}
