//! Limits the concurrent requests of the process, with a fair share for each workspace and app.

use std::time::Duration;

use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::error::OutboundError;
use crate::memory::{FairShares, Owner, SharePermit};

/// How long a request waits for a place. It waits for other requests of its own workspace, or for those of very many.
const WAIT: Duration = Duration::from_secs(5);
/// How often a waiting request looks for a place. A released place wakes one request, whose workspace may not take it.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// The places of all requests.
#[derive(Debug)]
pub(crate) struct OutboundPermits {
    shares: FairShares,
    released: Notify,
    wait: Duration,
}

/// A place of one request.
pub(crate) struct OutboundPermit<'a> {
    share: Option<SharePermit>,
    released: &'a Notify,
}

impl OutboundPermits {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { shares: FairShares::new(capacity), released: Notify::new(), wait: WAIT }
    }

    /// Takes a place for the workspace and the app of a request, or fails when there is none in time.
    pub(crate) async fn acquire(&self, [workspace, app]: [Owner; 2]) -> Result<OutboundPermit<'_>, OutboundError> {
        let deadline = Instant::now() + self.wait;
        loop {
            if let Ok(share) = self.shares.take(workspace, app) {
                return Ok(OutboundPermit { share: Some(share), released: &self.released });
            }
            if Instant::now() >= deadline {
                return Err(OutboundError::ShareUsed);
            }
            let _ = timeout(RETRY_INTERVAL, self.released.notified()).await;
        }
    }
}

impl Drop for OutboundPermit<'_> {
    fn drop(&mut self) {
        self.share = None;
        self.released.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(workspace: u8) -> [Owner; 2] {
        [Owner::of(&("workspace", workspace)), Owner::of(&("app", workspace))]
    }

    #[tokio::test]
    async fn requests_of_one_app_leave_places_to_others_and_fail_in_time() {
        let permits = OutboundPermits { wait: Duration::from_millis(1), ..OutboundPermits::new(64) };
        let mut held = Vec::new();
        while let Ok(permit) = permits.acquire(owners(1)).await {
            held.push(permit);
        }
        assert_eq!(held.len(), 43, "two thirds");
        let _other = permits.acquire(owners(2)).await.expect("a place for another workspace");
        assert!(matches!(permits.acquire(owners(1)).await, Err(OutboundError::ShareUsed)));
        held.truncate(40);
        assert!(permits.acquire(owners(1)).await.is_ok());
    }
}
