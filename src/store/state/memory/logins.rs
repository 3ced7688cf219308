//! Password attempts in process: the rules of the `login_*.lua` scripts.

use std::{collections::HashMap, time::Duration};

use uuid::Uuid;

use super::{
    bounded::{Bounded, Ends},
    micros,
};
use crate::{
    domain::{
        Result,
        limit::{LimitDecision, Quota},
    },
    ports::state::{ATTEMPT, Judged},
};

/// What is known of one key.
#[derive(Default)]
pub(super) struct Attempts {
    wrong: u32,
    /// Until when those count, in microseconds.
    until_us: u64,
    /// Attempts of which nobody has told yet whether they were right, and when they end.
    open: HashMap<Uuid, u64>,
}

impl Ends for Attempts {
    fn is_over(&self, now_us: u64) -> bool {
        now_us >= self.until_us && self.open.values().all(|end_us| now_us >= *end_us)
    }
}

impl Attempts {
    /// Forgets what no longer counts.
    fn at(mut self, now_us: u64) -> Self {
        if now_us >= self.until_us {
            (self.wrong, self.until_us) = (0, 0);
        }
        self.open.retain(|_, end_us| now_us < *end_us);
        self
    }

    /// When there will be room for another.
    fn full_until(&self, most: u32) -> Option<u64> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let wrong = usize::try_from(self.wrong).unwrap_or(usize::MAX);
        if wrong >= most {
            return Some(self.until_us);
        }
        self.open.values().min().copied().filter(|_| wrong + self.open.len() >= most)
    }
}

/// Every key's attempts.
pub(super) type Logins = Bounded<String, Attempts>;

impl Logins {
    pub(super) fn begin(&mut self, keys: &[String], attempt: Uuid, most: u32, now_us: u64) -> Result<LimitDecision> {
        let mut found: Vec<_> = keys.iter().map(|key| self.remove(key).unwrap_or_default().at(now_us)).collect();
        let full_until = found.iter().filter_map(|attempts| attempts.full_until(most)).max();
        if full_until.is_none() {
            for attempts in &mut found {
                attempts.open.insert(attempt, now_us.saturating_add(micros(ATTEMPT)));
            }
        }
        self.put(keys, found, now_us)?;
        Ok(full_until.map_or(LimitDecision::Allowed, |until_us| {
            LimitDecision::Limited(Duration::from_micros(until_us - now_us))
        }))
    }

    pub(super) fn end(
        &mut self,
        keys: &[String],
        attempt: Uuid,
        judged: Judged,
        quota: Quota,
        now_us: u64,
    ) -> Result<()> {
        let mut found: Vec<_> = keys.iter().map(|key| self.remove(key).unwrap_or_default().at(now_us)).collect();
        for (turn, attempts) in found.iter_mut().enumerate() {
            attempts.open.remove(&attempt);
            match judged {
                Judged::Wrong => {
                    attempts.wrong = attempts.wrong.saturating_add(1);
                    if attempts.until_us == 0 || attempts.wrong >= quota.count {
                        attempts.until_us = now_us.saturating_add(micros(quota.period));
                    }
                }
                Judged::Right if turn == 0 => (attempts.wrong, attempts.until_us) = (0, 0),
                Judged::Right | Judged::Not => {}
            }
        }
        self.put(keys, found, now_us)
    }

    fn put(&mut self, keys: &[String], found: Vec<Attempts>, now_us: u64) -> Result<()> {
        for (key, attempts) in keys.iter().zip(found).filter(|(_, attempts)| !attempts.is_over(now_us)) {
            self.insert(key.clone(), attempts, now_us)?;
        }
        Ok(())
    }
}
