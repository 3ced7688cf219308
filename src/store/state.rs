//! The two backends of the state ports: Redis, and this process for a server without one.
//!
//! Each port has a folder with both implementations and the conformance suite that both pass.

mod bounded_map;
mod connection_cache;
mod credential_cache;
mod enterprise_cache;
mod grants;
mod leases;
mod login_attempts;
mod micros;
mod nonces;
mod pending_imports;
mod rate_limits;
pub(crate) mod redis;
mod run_logs;
mod token_cache;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;

use self::{
    credential_cache::NoCredentialCache,
    enterprise_cache::memory::MemoryEnterpriseCache,
    grants::memory::MemoryGrantStore,
    leases::memory::MemoryLeaseStore,
    login_attempts::memory::MemoryLoginAttemptStore,
    nonces::memory::MemoryNonceStore,
    pending_imports::memory::MemoryPendingImportStore,
    rate_limits::memory::MemoryRateLimitStore,
    redis::{RedisState, options::RedisOptions},
    run_logs::memory::MemoryRunLogStore,
    token_cache::memory::MemoryTokenCache,
};
use crate::{
    domain::Result,
    ports::{
        clock::Clock,
        state_stores::{StateHealth, StateStores},
    },
};

/// Grants kept at once in process; further ones fail with `service_unavailable`.
const MAX_GRANTS: usize = 100_000;
/// Entries kept at once in process per kind: buckets, login keys, keys of slots.
const MAX_BUCKETS: usize = 500_000;

/// Empty stores in this process, which lose their content when it ends.
pub(crate) fn in_process_stores(clock: &Arc<dyn Clock>) -> StateStores {
    bounded_in_process_stores(clock, MAX_GRANTS, MAX_BUCKETS)
}

/// Empty stores in this process that keep at most `max_grants` grants and `max_buckets` entries of each other kind.
pub fn bounded_in_process_stores(clock: &Arc<dyn Clock>, max_grants: usize, max_buckets: usize) -> StateStores {
    StateStores {
        grants: Arc::new(MemoryGrantStore::new(Arc::clone(clock), max_grants)),
        rate_limits: Arc::new(MemoryRateLimitStore::new(Arc::clone(clock), max_buckets)),
        token_cache: Arc::new(MemoryTokenCache),
        login_attempts: Arc::new(MemoryLoginAttemptStore::new(Arc::clone(clock), max_buckets)),
        leases: Arc::new(MemoryLeaseStore::new(Arc::clone(clock), max_buckets)),
        enterprise_cache: Arc::new(MemoryEnterpriseCache::new(Arc::clone(clock), max_buckets)),
        connection_cache: None,
        credential_cache: Arc::new(NoCredentialCache),
        nonces: Arc::new(MemoryNonceStore::new(Arc::clone(clock), max_buckets)),
        pending_imports: Arc::new(MemoryPendingImportStore::new(Arc::clone(clock))),
        run_logs: Arc::new(MemoryRunLogStore::new(Arc::clone(clock), max_buckets)),
        health: Arc::new(AlwaysHealthy),
    }
}

/// Stores in Redis. Needs a Tokio runtime; connects with the first command, so that a start does not wait for Redis.
///
/// Fails when the options cannot be used.
pub(crate) fn redis_stores(options: RedisOptions) -> Result<StateStores> {
    let state = Arc::new(RedisState::connect(options)?);
    Ok(StateStores {
        grants: Arc::clone(&state) as _,
        rate_limits: Arc::clone(&state) as _,
        token_cache: Arc::clone(&state) as _,
        login_attempts: Arc::clone(&state) as _,
        leases: Arc::clone(&state) as _,
        enterprise_cache: Arc::clone(&state) as _,
        connection_cache: Some(Arc::clone(&state) as _),
        credential_cache: Arc::clone(&state) as _,
        nonces: Arc::clone(&state) as _,
        pending_imports: Arc::clone(&state) as _,
        run_logs: Arc::clone(&state) as _,
        health: state,
    })
}

/// The health of stores in this process.
struct AlwaysHealthy;

#[async_trait]
impl StateHealth for AlwaysHealthy {
    async fn check_commands(&self) -> Result<()> {
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}
