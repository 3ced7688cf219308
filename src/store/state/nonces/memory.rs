//! Consumed nonces in this process.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    domain::Result,
    ports::{
        clock::Clock,
        nonce_store::{NonceKind, NonceStore},
    },
    store::state::{
        bounded_map::{BoundedMap, ExpiresAt},
        micros::{micros, now_us},
    },
};

/// Consumed nonces in this process.
pub(crate) struct MemoryNonceStore {
    clock: Arc<dyn Clock>,
    consumed: Mutex<BoundedMap<(NonceKind, String), ExpiresAt>>,
}

impl MemoryNonceStore {
    pub(crate) fn new(clock: Arc<dyn Clock>, max_nonces: usize) -> Self {
        Self { clock, consumed: Mutex::new(BoundedMap::new(max_nonces)) }
    }
}

#[async_trait]
impl NonceStore for MemoryNonceStore {
    async fn consume(&self, kind: NonceKind, nonce: &str) -> Result<bool> {
        let (mut consumed, now_us) = (self.consumed.lock(), now_us(&*self.clock));
        let key = (kind, nonce.to_owned());
        if consumed.get(&key, now_us).is_some() {
            return Ok(false);
        }
        consumed.insert(key, ExpiresAt(now_us.saturating_add(micros(kind.lifetime()))), now_us)?;
        Ok(true)
    }
}
