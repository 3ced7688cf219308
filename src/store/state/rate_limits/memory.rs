//! Buckets in this process: the domain's GCRA on a map.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    domain::{
        Result,
        limit::{Charge, LimitDecision, LimitName, gcra},
    },
    ports::{clock::Clock, rate_limit_store::RateLimitStore},
    store::state::{
        bounded_map::{BoundedMap, ExpiresAt},
        micros::now_us,
    },
};

/// Buckets in this process.
pub(crate) struct MemoryRateLimitStore {
    clock: Arc<dyn Clock>,
    /// The theoretical arrival time of each bucket, after which the bucket is empty.
    buckets: Mutex<BoundedMap<(LimitName, String), ExpiresAt>>,
}

impl MemoryRateLimitStore {
    pub(crate) fn new(clock: Arc<dyn Clock>, max_buckets: usize) -> Self {
        Self { clock, buckets: Mutex::new(BoundedMap::new(max_buckets)) }
    }
}

#[async_trait]
impl RateLimitStore for MemoryRateLimitStore {
    async fn charge(&self, charges: &[Charge]) -> Result<LimitDecision> {
        let now_us = now_us(&*self.clock);
        let mut buckets = self.buckets.lock();
        for charge in charges.iter().filter(|charge| !charge.quota.is_off()) {
            let bucket = (charge.name, charge.key.clone());
            let arrival = buckets.get(&bucket, now_us).map(|arrival| arrival.0);
            match gcra(charge.quota, arrival, now_us) {
                Ok(next) => buckets.insert(bucket, ExpiresAt(next), now_us)?,
                Err(wait) => return Ok(LimitDecision::Limited(wait)),
            }
        }
        Ok(LimitDecision::Allowed)
    }

    async fn peek(&self, charge: &Charge) -> Result<LimitDecision> {
        if charge.quota.is_off() {
            return Ok(LimitDecision::Allowed);
        }
        let now_us = now_us(&*self.clock);
        let arrival = self.buckets.lock().get(&(charge.name, charge.key.clone()), now_us).map(|arrival| arrival.0);
        Ok(gcra(charge.quota, arrival, now_us).map_or_else(LimitDecision::Limited, |_| LimitDecision::Allowed))
    }

    async fn refund(&self, charges: &[Charge]) -> Result<()> {
        let now_us = now_us(&*self.clock);
        let mut buckets = self.buckets.lock();
        for charge in charges.iter().filter(|charge| !charge.quota.is_off()) {
            let bucket = (charge.name, charge.key.clone());
            if let Some(arrival) = buckets.get(&bucket, now_us).map(|arrival| arrival.0) {
                let refunded = ExpiresAt(arrival.saturating_sub(charge.quota.emission_us()));
                buckets.insert(bucket, refunded, now_us)?;
            }
        }
        Ok(())
    }
}
