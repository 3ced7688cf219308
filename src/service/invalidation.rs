//! Invalidates the cache entries of revoked tokens (contract section 3). A revocation is in force on every replica once
//! the entry is `invalid`. An entry that could not be invalidated is retried, and meanwhile this process rejects its
//! token.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::join_all;
use parking_lot::Mutex;

use crate::{
    domain::{Error, Result, id::TokenId, secret::TokenHash, session::RevokedSession},
    ports::token_cache::TokenCache,
};

/// Limit of queued entries. Beyond it, the caller has to repeat the revocation.
const CAPACITY: usize = 100_000;

/// Entries that are invalidated at once.
const MAX_CONCURRENT: usize = 64;

/// Invalidates entries, and queues those for which the store was unavailable.
pub struct Invalidations {
    token_cache: Arc<dyn TokenCache>,
    pending: Mutex<HashMap<TokenHash, Option<TokenId>>>,
    /// Whether the queue has entries. Requests read it without taking the lock.
    any: AtomicBool,
}

impl Invalidations {
    pub fn new(token_cache: Arc<dyn TokenCache>) -> Self {
        Self { token_cache, pending: Mutex::default(), any: AtomicBool::new(false) }
    }

    /// Invalidates the entry of a token that ends after this, unless the store is unavailable. Then it fails with
    /// `service_unavailable`, queues nothing, and the token has to stay.
    pub(crate) async fn invalidate_before(&self, hash: &TokenHash) -> Result<()> {
        self.token_cache.invalidate(hash).await.map_err(Error::unavailable)
    }

    /// Invalidates an entry. While the store is unavailable, queues it and fails with `service_unavailable`.
    pub async fn invalidate(&self, hash: &TokenHash) -> Result<()> {
        self.mark(hash, None).await
    }

    /// Invalidates the entries of all sessions. Fails with `service_unavailable` if one of them was queued.
    pub async fn invalidate_sessions(&self, sessions: &[RevokedSession]) -> Result<()> {
        let mut outcome = Ok(());
        // Some at once, because replicas confirm marks in groups.
        for some in sessions.chunks(MAX_CONCURRENT) {
            let marks = some.iter().map(|session| self.mark(&session.hash, Some(session.token_id)));
            for marked in join_all(marks).await {
                outcome = outcome.and(marked);
            }
        }
        outcome
    }

    /// Whether the token's entry is queued: the token is revoked, although its entry may be live.
    pub fn is_queued(&self, hash: &TokenHash) -> bool {
        self.any.load(Ordering::Acquire) && self.pending.lock().contains_key(hash)
    }

    /// Whether the session's entry is queued.
    pub fn is_session_queued(&self, id: TokenId) -> bool {
        self.pending.lock().values().any(|pending| *pending == Some(id))
    }

    /// Invalidates the queued entry of a session. Fails with `service_unavailable`.
    pub async fn invalidate_queued(&self, id: TokenId) -> Result<()> {
        let hash = self.pending.lock().iter().find(|(_, pending)| **pending == Some(id)).map(|(hash, _)| hash.clone());
        match hash {
            Some(hash) => self.mark(&hash, Some(id)).await,
            // The background job has invalidated it.
            None => Ok(()),
        }
    }

    /// Retries every queued entry. Returns the number of entries that stay queued.
    pub async fn retry(&self) -> usize {
        let queued: Vec<_> = self.pending.lock().iter().map(|(hash, id)| (hash.clone(), *id)).collect();
        for (hash, id) in queued {
            if self.mark(&hash, id).await.is_err() {
                break;
            }
        }
        self.pending.lock().len()
    }

    async fn mark(&self, hash: &TokenHash, id: Option<TokenId>) -> Result<()> {
        match self.token_cache.invalidate(hash).await {
            Ok(()) => {
                let mut pending = self.pending.lock();
                pending.remove(hash);
                self.any.store(!pending.is_empty(), Ordering::Release);
                Ok(())
            }
            Err(error) => {
                let mut pending = self.pending.lock();
                if pending.len() < CAPACITY || pending.contains_key(hash) {
                    pending.insert(hash.clone(), id);
                    self.any.store(true, Ordering::Release);
                }
                Err(Error::unavailable(error))
            }
        }
    }
}
