//! One run's share of the requests that may be under way.

use std::sync::Arc;

use http::HeaderMap;
use tokio::sync::Semaphore;

use super::{OutboundClient, OutboundError, OutboundRequest, OutboundResponse};

/// Requests of one run at the same time: a wide graph towards a server that never answers waits for itself, and leaves room
/// for every other run.
pub(super) const OF_A_RUN: usize = 8;

/// Sends the requests of one run. Clones have the same share.
#[derive(Clone, Debug)]
pub(crate) struct RunOutboundClient {
    outbound: Arc<OutboundClient>,
    places: Arc<Semaphore>,
}

impl RunOutboundClient {
    /// A share of its own.
    pub(crate) fn of(outbound: &Arc<OutboundClient>) -> Self {
        Self { outbound: Arc::clone(outbound), places: Arc::new(Semaphore::new(OF_A_RUN)) }
    }

    /// Sends a request as [`OutboundClient::send`] does, once fewer than [`OF_A_RUN`] of the run's are under way.
    pub(crate) async fn send(
        &self,
        request: OutboundRequest,
        limit: impl Fn(&HeaderMap) -> usize,
    ) -> Result<OutboundResponse, OutboundError> {
        // Never closed, as there.
        let _place = self.places.acquire().await;
        self.outbound.send(request, limit).await
    }
}
