//! Cache entries that must go. Revocation is in force everywhere once its entry reads `invalid`; an entry that could not be
//! marked is retried until it is (contract section 3), and this process needs no entry to know it dead meanwhile.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{
    domain::{Error, Result, id::TokenId, secret::TokenHash, session::RevokedSession},
    ports::token_cache::TokenCache,
};

/// Entries remembered at most; those beyond are for whoever revoked them to ask for again.
const CAPACITY: usize = 100_000;

/// Marks entries dead, and remembers those it could not mark.
pub struct Invalidations {
    token_cache: Arc<dyn TokenCache>,
    pending: Mutex<HashMap<TokenHash, Option<TokenId>>>,
    /// Whether anything is pending, so that a request need not take the lock to learn that nothing is.
    any: AtomicBool,
}

impl Invalidations {
    /// Invalidates through this store.
    pub fn new(token_cache: Arc<dyn TokenCache>) -> Self {
        Self { token_cache, pending: Mutex::default(), any: AtomicBool::new(false) }
    }

    /// Marks one entry dead; when the store is down it is queued and the error is `service_unavailable`.
    pub async fn invalidate(&self, hash: &TokenHash) -> Result<()> {
        self.mark(hash, None).await
    }

    /// Marks the entries of revoked sessions dead. All are tried; one failure makes the answer `service_unavailable`.
    pub async fn revoked(&self, sessions: &[RevokedSession]) -> Result<()> {
        let mut outcome = Ok(());
        for session in sessions {
            if let Err(error) = self.mark(&session.hash, Some(session.token_id)).await {
                outcome = Err(error);
            }
        }
        outcome
    }

    /// Whether a token was ended here while its entry could not be marked: the entry may still read otherwise.
    pub fn knows_dead(&self, hash: &TokenHash) -> bool {
        self.any.load(Ordering::Acquire) && self.pending.lock().contains_key(hash)
    }

    /// Whether a session was revoked here while its entry could not be marked.
    pub fn is_pending(&self, id: TokenId) -> bool {
        self.pending.lock().values().any(|pending| *pending == Some(id))
    }

    /// Tries to mark the entry of such a session again; `service_unavailable` while that is not possible.
    pub async fn settle(&self, id: TokenId) -> Result<()> {
        let hash = self.pending.lock().iter().find(|(_, pending)| **pending == Some(id)).map(|(hash, _)| hash.clone());
        match hash {
            Some(hash) => self.mark(&hash, Some(id)).await,
            // The background was faster.
            None => Ok(()),
        }
    }

    /// Tries every queued entry again; the number that is still queued.
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
