//! The dependencies that most use cases share.

use std::sync::Arc;

use crate::{
    domain::{Result, account::AccountStatus, id::AccountId, limit::Limits, secret::bearer_invalid},
    ports::{clock::Clock, entropy::Entropy},
    store::sql::SqlStore,
    telemetry::metrics::Metrics,
};

/// The SQL store, clock, randomness, limits and metrics of the process.
#[derive(Clone)]
pub struct ServiceContext {
    pub sql: Arc<SqlStore>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub limits: Arc<Limits>,
    pub metrics: Arc<Metrics>,
}

impl ServiceContext {
    /// Fails with `bearer_invalid` unless the account is active. For use cases whose own statement does not read the
    /// account.
    pub(super) async fn require_active(&self, account: AccountId) -> Result<()> {
        match self.sql.find_account_status(account).await? {
            Some(status) if status.is(AccountStatus::Active) => Ok(()),
            _ => Err(bearer_invalid()),
        }
    }
}
