//! The last use of each token: requests record it in memory, and a job writes it to SQL in batches (contract section
//! 3).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use crate::{
    domain::{Result, id::TokenId},
    store::sql::SqlStore,
};

/// Limit of tokens that are recorded between two flushes. Further tokens are not recorded: `last_used_at` is
/// informative.
const MAX_TOKENS: usize = 100_000;

/// The last use of each token since the last flush.
#[derive(Default)]
pub struct LastUsedTracker(Mutex<HashMap<TokenId, DateTime<Utc>>>);

impl LastUsedTracker {
    pub(super) fn record(&self, id: TokenId, now: DateTime<Utc>) {
        let mut uses = self.0.lock();
        if uses.len() < MAX_TOKENS || uses.contains_key(&id) {
            uses.insert(id, now);
        }
    }

    /// Writes the recorded uses to SQL. After a failure they are recorded again, except where a later use was recorded.
    pub(crate) async fn flush(&self, sql: &SqlStore) -> Result<()> {
        let uses = std::mem::take(&mut *self.0.lock());
        if uses.is_empty() {
            return Ok(());
        }
        let batch: Vec<_> = uses.iter().map(|(id, at)| (*id, *at)).collect();
        let written = sql.touch_sessions(&batch).await;
        if written.is_err() {
            let mut current = self.0.lock();
            for (id, at) in uses {
                current.entry(id).or_insert(at);
            }
        }
        written
    }
}
