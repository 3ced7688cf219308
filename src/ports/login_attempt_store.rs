//! Password attempts, and the lockout that follows wrong ones (contract section 8).

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::domain::{
    Result,
    limit::{LimitDecision, Quota},
};

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

/// Counts wrong passwords per key (account, address).
///
/// Every method is one atomic step at the store, by the store's clock; it fails with `service_unavailable`.
#[async_trait]
pub trait LoginAttemptStore: Send + Sync + 'static {
    /// Opens an attempt at each key, before the password is checked. Returns `Limited`, and opens nothing, when the
    /// wrong and the open attempts of any key reach the quota.
    ///
    /// An attempt that is not ended expires after [`OPEN_ATTEMPT_LIFETIME`]. That includes an attempt that the store
    /// opened although its reply was lost, so that an outage does not lock accounts.
    async fn begin(&self, keys: &[String], attempt: Uuid, quota: Quota) -> Result<LimitDecision>;

    /// Ends an attempt. A wrong one counts for the quota's period, which starts with the first wrong attempt and starts
    /// anew with the one that reaches the quota. A correct one clears the wrong attempts of the first key (the
    /// account's).
    async fn end(&self, keys: &[String], attempt: Uuid, outcome: AttemptOutcome, quota: Quota) -> Result<()>;
}
