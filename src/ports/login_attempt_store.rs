//! Password attempts, and the limits that failed ones reach (contract section 8).

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::domain::{Result, limit::LimitDecision, login_limit::LoginLimit};

/// How long an attempt stays open when it is not ended, such as after a crash.
pub(crate) const OPEN_ATTEMPT_LIFETIME: Duration = Duration::from_secs(30);

/// The outcome of a password attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The password is wrong, or there is no such account.
    Wrong,
    Correct,
    /// The password could not be checked, such as when SQL is down.
    Unchecked,
}

/// Counts failed password attempts against limits.
///
/// Every method is one atomic step at the store, by the store's clock; it fails with `service_unavailable`.
#[async_trait]
pub trait LoginAttemptStore: Send + Sync + 'static {
    /// Opens an attempt at each limit, before the password is checked. Returns `Limited`, and opens nothing, when any
    /// limit is reached by the failed and the open attempts.
    ///
    /// An attempt that is not ended expires after [`OPEN_ATTEMPT_LIFETIME`]. That includes an attempt that the store
    /// opened although its reply was lost, so that an outage does not lock accounts.
    async fn begin(&self, attempt: Uuid, limits: &[LoginLimit]) -> Result<LimitDecision>;

    /// Ends an attempt at the same limits.
    async fn end(&self, attempt: Uuid, outcome: AttemptOutcome, limits: &[LoginLimit]) -> Result<()>;

    /// Forgets the attempts that were counted under these keys.
    async fn forget(&self, keys: &[String]) -> Result<()>;
}
