//! Withdraws password attempts that the store may have opened although its reply was lost, so that an outage does not
//! count as wrong passwords.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use crate::{
    domain::login_limit::LoginLimit,
    ports::login_attempt_store::{AttemptOutcome, LoginAttemptStore},
};

/// Seconds after which the attempt is ended at the store. Later, it has nearly expired.
const SECONDS: [u64; 4] = [1, 3, 7, 15];
/// Withdrawals at one time. Attempts beyond them expire.
const MAX_WITHDRAWALS: usize = 64;

#[derive(Clone)]
pub(super) struct Withdrawals(Arc<Semaphore>);

impl Withdrawals {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_WITHDRAWALS)))
    }

    /// Withdraws in the background, as soon as the store replies again.
    pub(super) fn start(&self, attempt: Uuid, limits: Vec<LoginLimit>, store: Arc<dyn LoginAttemptStore>) {
        let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() else { return };
        let began = Instant::now();
        tokio::spawn(async move {
            for seconds in SECONDS {
                sleep_until(began + Duration::from_secs(seconds)).await;
                if store.end(attempt, AttemptOutcome::Unchecked, &limits).await.is_ok() {
                    break;
                }
            }
            drop(permit);
        });
    }
}
