//! Leases and slots in this process.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::{
    domain::Result,
    ports::{clock::Clock, lease_store::LeaseStore},
    store::state::{
        bounded_map::{BoundedMap, Expires, ExpiresAt},
        micros::{micros, now_us},
    },
};

/// Leases kept at once; there are only a few jobs.
const MAX_LEASES: usize = 1_000;

/// Leases and slots in this process.
pub(crate) struct MemoryLeaseStore {
    clock: Arc<dyn Clock>,
    leases: Mutex<BoundedMap<String, ExpiresAt>>,
    slots: Mutex<BoundedMap<String, SlotHolders>>,
}

/// The holders of a key's slots, and when each slot expires, in microseconds.
#[derive(Default)]
struct SlotHolders(HashMap<Uuid, u64>);

impl Expires for SlotHolders {
    fn is_expired(&self, now_us: u64) -> bool {
        self.0.values().all(|expires_us| now_us >= *expires_us)
    }
}

impl MemoryLeaseStore {
    pub(crate) fn new(clock: Arc<dyn Clock>, max_slot_keys: usize) -> Self {
        let (leases, slots) = (BoundedMap::new(MAX_LEASES), BoundedMap::new(max_slot_keys));
        Self { clock, leases: Mutex::new(leases), slots: Mutex::new(slots) }
    }
}

#[async_trait]
impl LeaseStore for MemoryLeaseStore {
    async fn acquire_lease(&self, job: &str, lifetime: Duration) -> Result<bool> {
        let (mut leases, now_us) = (self.leases.lock(), now_us(&*self.clock));
        let job = job.to_owned();
        if leases.get(&job, now_us).is_some() {
            return Ok(false);
        }
        leases.insert(job, ExpiresAt(now_us.saturating_add(micros(lifetime))), now_us)?;
        Ok(true)
    }

    async fn release_lease(&self, job: &str) -> Result<()> {
        self.leases.lock().remove(&job.to_owned());
        Ok(())
    }

    async fn acquire_slot(&self, key: &str, holder: Uuid, max_slots: u32, lifetime: Duration) -> Result<bool> {
        let (mut slots, now_us) = (self.slots.lock(), now_us(&*self.clock));
        let SlotHolders(mut holders) = slots.remove(&key.to_owned()).unwrap_or_default();
        holders.retain(|_, expires_us| now_us < *expires_us);
        let is_free = holders.len() < usize::try_from(max_slots).unwrap_or(usize::MAX);
        let is_acquired = is_free || holders.contains_key(&holder);
        if is_acquired {
            holders.insert(holder, now_us.saturating_add(micros(lifetime)));
        }
        if !holders.is_empty() {
            slots.insert(key.to_owned(), SlotHolders(holders), now_us)?;
        }
        Ok(is_acquired)
    }

    async fn release_slot(&self, key: &str, holder: Uuid) -> Result<()> {
        let (mut slots, now_us) = (self.slots.lock(), now_us(&*self.clock));
        if let Some(SlotHolders(mut holders)) = slots.remove(&key.to_owned()) {
            holders.remove(&holder);
            if !holders.is_empty() {
                slots.insert(key.to_owned(), SlotHolders(holders), now_us)?;
            }
        }
        Ok(())
    }
}
