//! Slots for concurrent runs of one app, over all replicas: as many as the app and the deployment allow.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::{
    domain::{Code, Error, Result, app::App},
    ports::{entropy::Entropy, lease_store::LeaseStore},
    service::uncancelled::run_uncancelled,
};

/// Lifetime of a slot that is not renewed, such as after a crash.
const SLOT_LIFETIME: Duration = Duration::from_secs(90);
/// Interval between two renewals. Two in a row may fail before the slot expires.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(30);

/// The slots of all apps.
#[derive(Clone)]
pub struct RunSlots {
    shared: Arc<dyn LeaseStore>,
    /// Slots of this process, for runs that start while the shared store is unavailable.
    local: Arc<dyn LeaseStore>,
    entropy: Arc<dyn Entropy>,
    max_slots: u32,
}

/// A slot of a run, released when dropped. `None` where the number of runs is unlimited.
#[derive(Debug)]
pub(crate) struct RunSlot(#[expect(dead_code, reason = "its drop releases the slot")] Option<DropGuard>);

impl RunSlots {
    /// `max_slots` is `APP_MAX_ACTIVE_REQUESTS`; 0 is unlimited.
    pub(crate) fn new(
        shared: Arc<dyn LeaseStore>,
        local: Arc<dyn LeaseStore>,
        entropy: Arc<dyn Entropy>,
        max_slots: u32,
    ) -> Self {
        Self { shared, local, entropy, max_slots }
    }

    /// Acquires a slot for a run. Does not wait: when all slots are taken, fails with `rate_limited`.
    pub(crate) async fn acquire(&self, app: &App) -> Result<RunSlot> {
        let limits = [self.max_slots, app.max_active_requests.unwrap_or_default()];
        let Some(max_slots) = limits.into_iter().filter(|limit| *limit > 0).min() else {
            return Ok(RunSlot(None));
        };
        let lease = SlotLease { key: app.id.to_string(), holder: self.entropy.uuid_v4()?, max_slots };
        let (shared, local) = (Arc::clone(&self.shared), Arc::clone(&self.local));
        // A request that is cancelled between the acquisition and the renewals would leave its slot taken.
        run_uncancelled(async move {
            let (store, is_acquired) = if let Ok(is_acquired) = lease.acquire(&*shared).await {
                (shared, is_acquired)
            } else {
                let is_acquired = lease.acquire(&*local).await?;
                (local, is_acquired)
            };
            if !is_acquired {
                return Err(Error::new(
                    Code::RateLimited,
                    "This app has reached its limit of concurrent runs. Try again shortly.",
                )
                .with_retry_after(Duration::from_secs(1)));
            }
            let released = CancellationToken::new();
            tokio::spawn(lease.renew_until(store, released.clone()));
            Ok(RunSlot(Some(released.drop_guard())))
        })
        .await
    }
}

/// One holder's claim on a slot of an app.
struct SlotLease {
    key: String,
    holder: Uuid,
    max_slots: u32,
}

impl SlotLease {
    async fn acquire(&self, store: &dyn LeaseStore) -> Result<bool> {
        store.acquire_slot(&self.key, self.holder, self.max_slots, SLOT_LIFETIME).await
    }

    /// Renews the slot until it is released. When the store is unavailable, the slot expires there by itself.
    async fn renew_until(self, store: Arc<dyn LeaseStore>, released: CancellationToken) {
        while released.run_until_cancelled(tokio::time::sleep(RENEWAL_INTERVAL)).await.is_some() {
            let _ = self.acquire(&*store).await;
        }
        let _ = store.release_slot(&self.key, self.holder).await;
    }
}
