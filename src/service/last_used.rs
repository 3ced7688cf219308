//! The last use of each token: requests record it in memory, and a job writes it to SQL in batches (contract section
//! 3).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use crate::{
    domain::{Result, caller::ClientAddress, id::TokenId, last_use::LastUse, request_origin::RequestOrigin},
    store::sql::SqlStore,
};

/// Limit of tokens that are recorded between two flushes. Further tokens are not recorded: `last_used_at` is
/// informative.
const MAX_TOKENS: usize = 100_000;

/// The last use of each token since the last flush.
#[derive(Default)]
pub struct LastUsedTracker(Mutex<HashMap<TokenId, LastUse>>);

impl LastUsedTracker {
    /// A use with the program of the one before copies no text.
    pub(super) fn record(&self, id: TokenId, at: DateTime<Utc>, address: ClientAddress, user_agent: Option<&str>) {
        let mut uses = self.0.lock();
        let is_full = uses.len() >= MAX_TOKENS;
        match uses.get_mut(&id) {
            Some(known) if known.origin.user_agent.as_deref() == user_agent => {
                known.at = at;
                known.origin.address = address;
            }
            Some(known) => *known = LastUse { at, origin: RequestOrigin::new(address, user_agent) },
            None if is_full => {}
            None => {
                uses.insert(id, LastUse { at, origin: RequestOrigin::new(address, user_agent) });
            }
        }
    }

    /// Writes the recorded uses to SQL. After a failure they are recorded again, except where a later use was recorded.
    pub(crate) async fn flush(&self, sql: &SqlStore) -> Result<()> {
        let uses = std::mem::take(&mut *self.0.lock());
        if uses.is_empty() {
            return Ok(());
        }
        let batch: Vec<_> = uses.into_iter().collect();
        let written = sql.touch_sessions(&batch).await;
        if written.is_err() {
            let mut current = self.0.lock();
            for (id, last_use) in batch {
                current.entry(id).or_insert(last_use);
            }
        }
        written
    }
}
