//! Runs of one app at the same time, over all replicas: as many as the app and the deployment allow.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::{
    domain::{Code, Error, Result, app::App},
    ports::state::State,
    service::{Foundation, to_the_end},
};

/// How long a slot is held without being renewed: what a process that is gone blocks it for.
const LASTING: Duration = Duration::from_secs(90);
/// How often a slot is renewed; two in a row may fail.
const RENEWAL: Duration = Duration::from_secs(30);

/// The slots of all apps.
#[derive(Clone)]
pub struct Slots {
    base: Foundation,
    most: u32,
}

/// A slot that is held until this is dropped.
#[derive(Debug)]
pub struct Slot(#[expect(dead_code, reason = "its drop is what it is for")] Option<DropGuard>);

impl Slots {
    /// `most` is `APP_MAX_ACTIVE_REQUESTS`; 0 is unlimited.
    pub fn new(base: Foundation, most: u32) -> Self {
        Self { base, most }
    }

    /// A slot for a run, at once or not at all: `rate_limited` when all are taken. While the shared store is down, each
    /// process counts for itself.
    pub async fn take(&self, app: &App) -> Result<Slot> {
        let Some(most) =
            [self.most, app.max_active_requests.unwrap_or_default()].into_iter().filter(|most| *most > 0).min()
        else {
            return Ok(Slot(None));
        };
        let held = Held { key: app.id.to_string(), holder: self.base.entropy.uuid_v4()?, most };
        let base = self.base.clone();
        // To the end: a caller who hangs up meanwhile must not leave a slot behind that nobody gives back.
        to_the_end(async move {
            let (state, taken) = match held.take(&*base.state).await {
                Ok(taken) => (base.state, taken),
                Err(_) => (Arc::clone(&base.fallback), held.take(&*base.fallback).await?),
            };
            if !taken {
                return Err(Error::new(
                    Code::RateLimited,
                    "This app has reached its limit of concurrent runs. Try again shortly.",
                )
                .with_retry_after(Duration::from_secs(1)));
            }
            let given_back = CancellationToken::new();
            tokio::spawn(held.keep(state, given_back.clone()));
            Ok(Slot(Some(given_back.drop_guard())))
        })
        .await
    }
}

struct Held {
    key: String,
    holder: Uuid,
    most: u32,
}

impl Held {
    async fn take(&self, state: &dyn State) -> Result<bool> {
        state.take_slot(&self.key, self.holder, self.most, LASTING).await
    }

    /// Renews the slot until it is given back. A store that fails now takes it back by itself later.
    async fn keep(self, state: Arc<dyn State>, given_back: CancellationToken) {
        while given_back.run_until_cancelled(tokio::time::sleep(RENEWAL)).await.is_some() {
            let _ = self.take(&*state).await;
        }
        let _ = state.release_slot(&self.key, self.holder).await;
    }
}
