//! Buckets of rate limits (GCRA, contract section 8).

use async_trait::async_trait;

use crate::domain::{
    Result,
    limit::{Charge, LimitDecision},
};

/// Counts requests in buckets.
///
/// Every method goes by the store's clock and fails with `service_unavailable`. A limit that is off is always allowed
/// and stores nothing.
#[async_trait]
pub trait RateLimitStore: Send + Sync + 'static {
    /// Charges the buckets in order and stops at the first that is full. Buckets before that one stay charged.
    async fn charge(&self, charges: &[Charge]) -> Result<LimitDecision>;

    /// Returns what `charge` would return, without charging.
    async fn peek(&self, charge: &Charge) -> Result<LimitDecision>;

    /// Takes one charge of each bucket back.
    async fn refund(&self, charges: &[Charge]) -> Result<()>;
}
