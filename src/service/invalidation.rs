//! Cache entries that must go. Revocation is in force everywhere once its entry reads `invalid`; an entry that could not be
//! marked is retried until it is (contract section 3).

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use crate::{
    domain::{Error, Result, id::TokenId, secret::TokenHash, session::Revoked},
    ports::state::State,
};

/// Marks entries dead, and remembers those it could not mark.
pub struct Invalidations {
    state: Arc<dyn State>,
    pending: Mutex<HashMap<TokenHash, Option<TokenId>>>,
}

impl Invalidations {
    /// Invalidates through this store.
    pub fn new(state: Arc<dyn State>) -> Self {
        Self { state, pending: Mutex::default() }
    }

    /// Marks one entry dead; when the store is down it is queued and the error is `service_unavailable`.
    pub async fn invalidate(&self, hash: &TokenHash) -> Result<()> {
        self.mark(hash, None).await
    }

    /// Marks the entries of revoked sessions dead. All are tried; one failure makes the answer `service_unavailable`.
    pub async fn revoked(&self, sessions: &[Revoked]) -> Result<()> {
        let mut outcome = Ok(());
        for session in sessions {
            if let Err(error) = self.mark(&session.hash, Some(session.token_id)).await {
                outcome = Err(error);
            }
        }
        outcome
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
        match self.state.invalidate_token(hash).await {
            Ok(()) => {
                self.pending.lock().remove(hash);
                Ok(())
            }
            Err(error) => {
                self.pending.lock().insert(hash.clone(), id);
                Err(Error::unavailable(error))
            }
        }
    }
}
