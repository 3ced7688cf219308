//! Buckets in Redis: a theoretical arrival time per bucket, which expires when the bucket is empty.

use std::sync::LazyLock;

use async_trait::async_trait;

use crate::{
    domain::{
        Result,
        limit::{Charge, LimitDecision},
    },
    ports::rate_limit_store::RateLimitStore,
    store::state::redis::{
        RedisState,
        script::{CLOCK, GCRA, Script},
        verdict,
    },
};

static CHARGE: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, GCRA, include_str!("charge.lua")]));
static PEEK: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, GCRA, include_str!("peek.lua")]));
static REFUND: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, include_str!("refund.lua")]));

#[async_trait]
impl RateLimitStore for RedisState {
    async fn charge(&self, charges: &[Charge]) -> Result<LimitDecision> {
        let charges: Vec<&Charge> = charges.iter().filter(|charge| !charge.quota.is_off()).collect();
        // The buckets of different keys are in different slots, so a cluster is sent one at a time.
        let max_per_command = if self.is_cluster() { 1 } else { charges.len().max(1) };
        for charges in charges.chunks(max_per_command) {
            let buckets: Vec<String> = charges.iter().map(|charge| self.keys().bucket(charge)).collect();
            let wait_us: u64 = self
                .eval(&CHARGE, &buckets, |command| {
                    for charge in charges {
                        command.arg(charge.quota.emission_us()).arg(charge.quota.count);
                    }
                })
                .await?;
            if wait_us > 0 {
                return Ok(verdict(wait_us));
            }
        }
        Ok(LimitDecision::Allowed)
    }

    async fn peek(&self, charge: &Charge) -> Result<LimitDecision> {
        if charge.quota.is_off() {
            return Ok(LimitDecision::Allowed);
        }
        let bucket = [self.keys().bucket(charge)];
        let wait_us = self.eval(&PEEK, &bucket, |command| {
            command.arg(charge.quota.emission_us()).arg(charge.quota.count);
        });
        wait_us.await.map(verdict)
    }

    async fn refund(&self, charges: &[Charge]) -> Result<()> {
        for charge in charges.iter().filter(|charge| !charge.quota.is_off()) {
            self.eval::<u64>(&REFUND, &[self.keys().bucket(charge)], |command| {
                command.arg(charge.quota.emission_us());
            })
            .await?;
        }
        Ok(())
    }
}
