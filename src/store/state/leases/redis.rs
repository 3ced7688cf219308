//! Leases and slots in Redis: a key per lease, and a sorted set of holders by expiry per key of slots.

use std::{sync::LazyLock, time::Duration};

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    domain::Result,
    ports::lease_store::LeaseStore,
    store::state::redis::{
        RedisState,
        script::{CLOCK, Script},
    },
};

static ACQUIRE_LEASE: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, include_str!("acquire_lease.lua")]));
static ACQUIRE_SLOT: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, include_str!("acquire_slot.lua")]));

/// A lifetime in milliseconds: at least 1, because Redis rejects an expiry of 0.
fn lifetime_ms(lifetime: Duration) -> u64 {
    u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[async_trait]
impl LeaseStore for RedisState {
    async fn acquire_lease(&self, job: &str, lifetime: Duration) -> Result<bool> {
        self.eval(&ACQUIRE_LEASE, &[self.keys().lease(job)], |command| {
            command.arg(lifetime_ms(lifetime));
        })
        .await
    }

    async fn release_lease(&self, job: &str) -> Result<()> {
        let _: u32 = self.run(redis::cmd("DEL").arg(self.keys().lease(job))).await?;
        Ok(())
    }

    async fn acquire_slot(&self, key: &str, holder: Uuid, max_slots: u32, lifetime: Duration) -> Result<bool> {
        self.eval(&ACQUIRE_SLOT, &[self.keys().slots(key)], |command| {
            command.arg(holder.as_bytes()).arg(max_slots).arg(lifetime_ms(lifetime));
        })
        .await
    }

    async fn release_slot(&self, key: &str, holder: Uuid) -> Result<()> {
        let _: u32 = self.run(redis::cmd("ZREM").arg(self.keys().slots(key)).arg(holder.as_bytes())).await?;
        Ok(())
    }
}
