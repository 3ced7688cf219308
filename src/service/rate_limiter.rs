//! Rate limits, at the shared store and, while that is unavailable, in this process.

use std::{sync::Arc, time::Duration};

use crate::{
    domain::{
        Error, Result,
        limit::{Charge, LimitDecision, LimitName, Limits},
    },
    ports::rate_limit_store::RateLimitStore,
    telemetry::metrics::Metrics,
};

/// The buckets of all limits.
#[derive(Clone)]
pub struct RateLimiter {
    /// The buckets that all replicas share.
    pub(super) shared: Arc<dyn RateLimitStore>,
    /// Buckets of this process, for bearer requests while the shared store is unavailable.
    pub(super) local: Arc<dyn RateLimitStore>,
    limits: Arc<Limits>,
    metrics: Arc<Metrics>,
}

impl RateLimiter {
    pub(crate) fn new(
        shared: Arc<dyn RateLimitStore>,
        local: Arc<dyn RateLimitStore>,
        limits: Arc<Limits>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { shared, local, limits, metrics }
    }

    /// The bucket of a limit for one key, with the configured quota.
    pub(crate) fn bucket(&self, name: LimitName, key: impl Into<String>) -> Charge {
        Charge { name, key: key.into(), quota: self.limits.quota(name) }
    }

    /// Charges the shared buckets.
    pub(crate) async fn charge(&self, charges: &[Charge]) -> Result<LimitDecision> {
        self.shared.charge(charges).await
    }

    /// Charges the shared buckets or, while they are unavailable, the local ones. Also returns the store that was
    /// charged, for a refund.
    pub(crate) async fn charge_with_fallback(
        &self,
        charges: &[Charge],
    ) -> Result<(LimitDecision, &dyn RateLimitStore)> {
        match self.shared.charge(charges).await {
            Ok(verdict) => Ok((verdict, &*self.shared)),
            Err(_) => Ok((self.local.charge(charges).await?, &*self.local)),
        }
    }

    /// Returns what `charge_with_fallback` would return, without charging.
    pub(crate) async fn peek_with_fallback(&self, charge: &Charge) -> Result<LimitDecision> {
        match self.shared.peek(charge).await {
            Ok(decision) => Ok(decision),
            Err(_) => self.local.peek(charge).await,
        }
    }

    /// The `rate_limited` error of a limit. Counts it in the metrics.
    pub(crate) fn limited(&self, name: LimitName, retry_after: Duration) -> Error {
        self.metrics.rate_limited(name);
        Error::rate_limited(retry_after)
    }
}
