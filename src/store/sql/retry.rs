//! Retries of transactions that lost a race.

use std::{future::Future, time::Duration};

use super::error::SqlError;

/// Attempts in total.
const MAX_ATTEMPTS: u32 = 6;
/// The pause before the next attempt, times the attempts so far. The winner of the race needs less.
const PAUSE: Duration = Duration::from_millis(15);

/// Repeats a transaction that lost a race for a row. Where a row is missing, MySQL lets several transactions lock the
/// gap and then ends all but one of those that insert. A transaction that was ended this way succeeds a moment later.
pub(super) async fn with_retries<T, F>(attempt: impl Fn() -> F) -> Result<T, SqlError>
where
    F: Future<Output = Result<T, SqlError>>,
{
    let mut attempts = 1;
    loop {
        match attempt().await {
            Err(error) if attempts < MAX_ATTEMPTS && error.lost_a_race() => {
                tokio::time::sleep(PAUSE * attempts).await;
                attempts += 1;
            }
            done => return done,
        }
    }
}
