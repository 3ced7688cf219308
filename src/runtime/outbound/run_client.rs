//! Limits the concurrent requests of one run.

use std::sync::Arc;

use http::HeaderMap;
use tokio::sync::Semaphore;

use super::{
    client::OutboundClient,
    error::OutboundError,
    message::{OutboundRequest, OutboundResponse},
};
use crate::memory::Owner;

/// Requests of one run at the same time. A wide graph whose server never answers delays itself and no other run.
pub(super) const MAX_CONCURRENT_OF_RUN: usize = 8;

/// Sends the requests of one run. Clones share the limit.
#[derive(Clone, Debug)]
pub(crate) struct RunOutboundClient {
    outbound: Arc<OutboundClient>,
    permits: Arc<Semaphore>,
    /// The workspace and the app.
    owners: [Owner; 2],
}

impl RunOutboundClient {
    /// `owners` are the workspace and the app of the run.
    pub(crate) fn new(outbound: &Arc<OutboundClient>, owners: [Owner; 2]) -> Self {
        Self { outbound: Arc::clone(outbound), permits: Arc::new(Semaphore::new(MAX_CONCURRENT_OF_RUN)), owners }
    }

    /// Sends a request as [`OutboundClient::send`] does, once fewer than [`MAX_CONCURRENT_OF_RUN`] of the run are under
    /// way.
    pub(crate) async fn send(
        &self,
        request: OutboundRequest,
        limit: impl Fn(&HeaderMap) -> usize,
    ) -> Result<OutboundResponse, OutboundError> {
        // An error would mean that the semaphore is closed, which never happens.
        let _permit = self.permits.acquire().await;
        self.outbound.send(self.owners, request, limit).await
    }
}
