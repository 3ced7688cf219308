//! Password attempts in this process, by the rules of `domain::login_limit`.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::{
    domain::{
        Result,
        limit::LimitDecision,
        login_limit::{FAILURE_LIFETIME, LoginLimit, LoginRule, delay_after},
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

/// The attempts of one key. All times are in microseconds since the epoch; 0 when there is none.
#[derive(Default)]
struct KeyAttempts {
    /// Consecutive failures, and when they are forgotten.
    failures: u32,
    forgotten_us: u64,
    /// The end of the delay after the last failure.
    blocked_until_us: u64,
    /// The theoretical arrival time (GCRA) of the failures in a period.
    arrival_us: u64,
    /// Attempts that have not ended, and when each expires.
    open: HashMap<Uuid, u64>,
}

impl Expires for KeyAttempts {
    fn is_expired(&self, now_us: u64) -> bool {
        now_us >= self.forgotten_us.max(self.arrival_us) && self.open.values().all(|expires_us| now_us >= *expires_us)
    }
}

impl KeyAttempts {
    fn without_expired(mut self, now_us: u64) -> Self {
        if now_us >= self.forgotten_us {
            (self.failures, self.forgotten_us, self.blocked_until_us) = (0, 0, 0);
        }
        self.open.retain(|_, expires_us| now_us < *expires_us);
        self
    }

    /// When the next attempt can be opened; `None` when that is now.
    fn full_until_us(&self, rule: LoginRule, now_us: u64) -> Option<u64> {
        let open = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        let until_us = match rule {
            LoginRule::Delays { .. } if now_us < self.blocked_until_us => return Some(self.blocked_until_us),
            LoginRule::Delays { free, .. } => {
                (open > 0 && self.failures.saturating_add(open) >= free).then_some(u64::MAX)
            }
            LoginRule::Failures(quota) => {
                let emission_us = quota.emission_us();
                let arrival_us = self.arrival_us.max(now_us) + emission_us * (u64::from(open) + 1);
                let allowed_from_us = arrival_us.saturating_sub(emission_us * u64::from(quota.count));
                (allowed_from_us > now_us).then_some(allowed_from_us)
            }
        };
        // An open attempt may end as a success, at the latest when it expires.
        until_us.map(|until_us| self.open.values().copied().min().unwrap_or(u64::MAX).min(until_us))
    }

    fn end(&mut self, rule: LoginRule, outcome: AttemptOutcome, now_us: u64) {
        match (rule, outcome) {
            (LoginRule::Delays { free, max_delay }, AttemptOutcome::Wrong) => {
                self.failures = self.failures.saturating_add(1);
                if let Some(delay) = delay_after(self.failures, free, max_delay) {
                    self.blocked_until_us = now_us.saturating_add(micros(delay));
                }
                self.forgotten_us = now_us.saturating_add(micros(FAILURE_LIFETIME));
            }
            (LoginRule::Delays { .. }, AttemptOutcome::Correct) => {
                (self.failures, self.forgotten_us, self.blocked_until_us) = (0, 0, 0);
            }
            (LoginRule::Failures(quota), AttemptOutcome::Wrong) => {
                self.arrival_us = self.arrival_us.max(now_us) + quota.emission_us();
            }
            (LoginRule::Failures(_), AttemptOutcome::Correct) | (_, AttemptOutcome::Unchecked) => {}
        }
    }
}

impl MemoryLoginAttemptStore {
    pub(crate) fn new(clock: Arc<dyn Clock>, max_keys: usize) -> Self {
        Self { clock, attempts: Mutex::new(BoundedMap::new(max_keys)) }
    }
}

/// Removes the attempts of these keys from the map, without those that have expired.
fn take(map: &mut BoundedMap<String, KeyAttempts>, limits: &[LoginLimit], now_us: u64) -> Vec<KeyAttempts> {
    limits.iter().map(|limit| map.remove(&limit.key).unwrap_or_default().without_expired(now_us)).collect()
}

fn put_back(
    map: &mut BoundedMap<String, KeyAttempts>,
    limits: &[LoginLimit],
    attempts: Vec<KeyAttempts>,
    now_us: u64,
) -> Result<()> {
    for (limit, attempts) in limits.iter().zip(attempts).filter(|(_, attempts)| !attempts.is_expired(now_us)) {
        map.insert(limit.key.clone(), attempts, now_us)?;
    }
    Ok(())
}

#[async_trait]
impl LoginAttemptStore for MemoryLoginAttemptStore {
    async fn begin(&self, attempt: Uuid, limits: &[LoginLimit]) -> Result<LimitDecision> {
        let (mut map, now_us) = (self.attempts.lock(), now_us(&*self.clock));
        let mut taken = take(&mut map, limits, now_us);
        let full_until_us =
            limits.iter().zip(&taken).filter_map(|(limit, attempts)| attempts.full_until_us(limit.rule, now_us)).max();
        if full_until_us.is_none() {
            for attempts in &mut taken {
                attempts.open.insert(attempt, now_us.saturating_add(micros(OPEN_ATTEMPT_LIFETIME)));
            }
        }
        put_back(&mut map, limits, taken, now_us)?;
        Ok(full_until_us.map_or(LimitDecision::Allowed, |until_us| {
            LimitDecision::Limited(Duration::from_micros(until_us - now_us))
        }))
    }

    async fn end(&self, attempt: Uuid, outcome: AttemptOutcome, limits: &[LoginLimit]) -> Result<()> {
        let (mut map, now_us) = (self.attempts.lock(), now_us(&*self.clock));
        let mut taken = take(&mut map, limits, now_us);
        for (limit, attempts) in limits.iter().zip(&mut taken) {
            attempts.open.remove(&attempt);
            attempts.end(limit.rule, outcome, now_us);
        }
        put_back(&mut map, limits, taken, now_us)
    }

    async fn forget(&self, keys: &[String]) -> Result<()> {
        let mut map = self.attempts.lock();
        for key in keys {
            map.remove(key);
        }
        Ok(())
    }
}
