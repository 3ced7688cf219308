//! When tokens were last used: noted in memory on the request's path, written to SQL in batches off it (contract section 3).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use crate::{
    domain::{Result, id::TokenId},
    store::sql::SqlStore,
};

/// Tokens noted at most between two flushes; past it the note is dropped, since the figure is a courtesy.
const CAPACITY: usize = 100_000;

/// The notes of this process.
#[derive(Default)]
pub struct Seen(Mutex<HashMap<TokenId, DateTime<Utc>>>);

impl Seen {
    /// Notes that a token was used.
    pub fn note(&self, id: TokenId, now: DateTime<Utc>) {
        let mut notes = self.0.lock();
        if notes.len() < CAPACITY || notes.contains_key(&id) {
            notes.insert(id, now);
        }
    }

    /// Writes the notes to SQL. What could not be written is noted again, unless it was seen since.
    pub async fn flush(&self, sql: &SqlStore) -> Result<()> {
        let notes = std::mem::take(&mut *self.0.lock());
        if notes.is_empty() {
            return Ok(());
        }
        let batch: Vec<_> = notes.iter().map(|(id, at)| (*id, *at)).collect();
        let written = sql.touch_sessions(&batch).await;
        if written.is_err() {
            let mut current = self.0.lock();
            for (id, at) in notes {
                current.entry(id).or_insert(at);
            }
        }
        written
    }
}
