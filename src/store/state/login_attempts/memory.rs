//! Password attempts in this process, by the rules of the Lua scripts beside it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::{
    domain::{
        Result,
        limit::{LimitDecision, Quota},
    },
    ports::{
        clock::Clock,
        login_attempt_store::{AttemptOutcome, LoginAttemptStore, OPEN_ATTEMPT_LIFETIME},
    },
    store::state::{
        bounded_map::{BoundedMap, Expires},
        micros::{micros, now_us},
    },
};

/// Password attempts in this process.
pub(crate) struct MemoryLoginAttemptStore {
    clock: Arc<dyn Clock>,
    attempts: Mutex<BoundedMap<String, KeyAttempts>>,
}

/// The attempts of one key.
#[derive(Default)]
struct KeyAttempts {
    wrong: u32,
    /// When the wrong attempts stop counting, in microseconds; 0 when there are none.
    wrong_until_us: u64,
    /// Attempts that have not ended, and when each expires, in microseconds.
    open: HashMap<Uuid, u64>,
}

impl Expires for KeyAttempts {
    fn is_expired(&self, now_us: u64) -> bool {
        now_us >= self.wrong_until_us && self.open.values().all(|expires_us| now_us >= *expires_us)
    }
}

impl KeyAttempts {
    fn without_expired(mut self, now_us: u64) -> Self {
        if now_us >= self.wrong_until_us {
            (self.wrong, self.wrong_until_us) = (0, 0);
        }
        self.open.retain(|_, expires_us| now_us < *expires_us);
        self
    }

    /// When the next attempt can be opened, in microseconds; `None` when that is now.
    fn full_until_us(&self, max_attempts: u32) -> Option<u64> {
        let max_attempts = usize::try_from(max_attempts).unwrap_or(usize::MAX);
        let wrong = usize::try_from(self.wrong).unwrap_or(usize::MAX);
        if wrong >= max_attempts {
            return Some(self.wrong_until_us);
        }
        self.open.values().min().copied().filter(|_| wrong + self.open.len() >= max_attempts)
    }
}

impl MemoryLoginAttemptStore {
    pub(crate) fn new(clock: Arc<dyn Clock>, max_keys: usize) -> Self {
        Self { clock, attempts: Mutex::new(BoundedMap::new(max_keys)) }
    }
}

/// Removes the attempts of these keys from the map, without those that have expired.
fn take(map: &mut BoundedMap<String, KeyAttempts>, keys: &[String], now_us: u64) -> Vec<KeyAttempts> {
    keys.iter().map(|key| map.remove(key).unwrap_or_default().without_expired(now_us)).collect()
}

fn put_back(
    map: &mut BoundedMap<String, KeyAttempts>,
    keys: &[String],
    attempts: Vec<KeyAttempts>,
    now_us: u64,
) -> Result<()> {
    for (key, attempts) in keys.iter().zip(attempts).filter(|(_, attempts)| !attempts.is_expired(now_us)) {
        map.insert(key.clone(), attempts, now_us)?;
    }
    Ok(())
}

#[async_trait]
impl LoginAttemptStore for MemoryLoginAttemptStore {
    async fn begin(&self, keys: &[String], attempt: Uuid, quota: Quota) -> Result<LimitDecision> {
        let (mut map, now_us) = (self.attempts.lock(), now_us(&*self.clock));
        let mut taken = take(&mut map, keys, now_us);
        let full_until_us = taken.iter().filter_map(|attempts| attempts.full_until_us(quota.count)).max();
        if full_until_us.is_none() {
            for attempts in &mut taken {
                attempts.open.insert(attempt, now_us.saturating_add(micros(OPEN_ATTEMPT_LIFETIME)));
            }
        }
        put_back(&mut map, keys, taken, now_us)?;
        Ok(full_until_us.map_or(LimitDecision::Allowed, |until_us| {
            LimitDecision::Limited(Duration::from_micros(until_us - now_us))
        }))
    }

    async fn end(&self, keys: &[String], attempt: Uuid, outcome: AttemptOutcome, quota: Quota) -> Result<()> {
        let (mut map, now_us) = (self.attempts.lock(), now_us(&*self.clock));
        let mut taken = take(&mut map, keys, now_us);
        for (index, attempts) in taken.iter_mut().enumerate() {
            attempts.open.remove(&attempt);
            match outcome {
                AttemptOutcome::Wrong => {
                    attempts.wrong = attempts.wrong.saturating_add(1);
                    if attempts.wrong_until_us == 0 || attempts.wrong >= quota.count {
                        attempts.wrong_until_us = now_us.saturating_add(micros(quota.period));
                    }
                }
                AttemptOutcome::Correct if index == 0 => (attempts.wrong, attempts.wrong_until_us) = (0, 0),
                AttemptOutcome::Correct | AttemptOutcome::Unchecked => {}
            }
        }
        put_back(&mut map, keys, taken, now_us)
    }
}
