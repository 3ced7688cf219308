//! Leases, so that one replica runs a job, and slots, so that a limited number of runs are active over all replicas.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::domain::Result;

/// Holds leases and slots. Every method is one atomic step at the store, by the store's clock; it fails with
/// `service_unavailable`.
#[async_trait]
pub trait LeaseStore: Send + Sync + 'static {
    /// Acquires the lease of a job. Returns `false` when another holder has it.
    async fn acquire_lease(&self, job: &str, lifetime: Duration) -> Result<bool>;

    /// Releases a job's lease before it expires, because the job was not completed.
    async fn release_lease(&self, job: &str) -> Result<()>;

    /// Acquires one of `max_slots` slots of a key, or renews the slot that the holder has. Returns `false` when all
    /// slots are taken. A slot expires after `lifetime`.
    async fn acquire_slot(&self, key: &str, holder: Uuid, max_slots: u32, lifetime: Duration) -> Result<bool>;

    async fn release_slot(&self, key: &str, holder: Uuid) -> Result<()>;
}
