//! The use cases. They know the domain, the ports and the SQL store; they know nothing of HTTP or gRPC.

pub(crate) mod app;
pub(crate) mod bearer;
pub(crate) mod console;
pub(crate) mod device_flow;
pub(crate) mod identity;
pub(crate) mod invalidation;
pub(crate) mod password;
pub(crate) mod run;
pub(crate) mod seen;
pub(crate) mod session;
pub(crate) mod wrong_code;

use std::{future::Future, sync::Arc, time::Duration};

use crate::{
    domain::{
        Error, Result,
        account::AccountStatus,
        id::AccountId,
        limit::{Charge, LimitName, Limits},
        secret::bearer_invalid,
    },
    ports::{clock::Clock, entropy::Entropy, state::State},
    store::sql::SqlStore,
    telemetry::{metrics::Metrics, request_id},
};

/// What every use case stands on.
#[derive(Clone)]
pub struct Foundation {
    /// The SQL store.
    pub sql: Arc<SqlStore>,
    /// Short-lived shared state.
    pub state: Arc<dyn State>,
    /// In-process state that limits bearer requests while the shared one is down.
    pub fallback: Arc<dyn State>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The figures in force.
    pub limits: Arc<Limits>,
    /// Where what happens is counted.
    pub metrics: Arc<Metrics>,
}

impl Foundation {
    /// One bucket of a limit, at the figure in force.
    pub fn bucket(&self, name: LimitName, key: impl Into<String>) -> Charge {
        Charge { name, key: key.into(), quota: self.limits.quota(name) }
    }

    /// A limit refuses: it is counted, and the caller is told when to come again.
    pub fn refuse(&self, name: LimitName, retry_after: Duration) -> Error {
        self.metrics.rate_limited(name);
        Error::rate_limited(retry_after)
    }

    /// Lets a bearer's account through while it is active, for callers that read it in no other statement.
    pub async fn require_active(&self, account: AccountId) -> Result<()> {
        match self.sql.find_account_status(account).await? {
            Some(status) if status.is(AccountStatus::Active) => Ok(()),
            _ => Err(bearer_invalid()),
        }
    }
}

/// Runs a step that must not stop halfway, such as a revocation between its commit and its invalidation: it goes on when
/// whoever asked for it has hung up.
async fn to_the_end<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(request_id::scope(request_id::current(), work)).await.map_err(Error::internal)?
}
