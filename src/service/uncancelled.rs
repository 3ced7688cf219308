//! Work that continues when its request is cancelled.

use crate::{
    domain::{Error, Result},
    telemetry::carry::carry,
};

/// Runs `work` to its end, also when the returned future is dropped because the client has disconnected. For steps that
/// must not stop halfway, such as a revocation between its commit and its invalidation.
pub(super) async fn run_uncancelled<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(carry(work)).await.map_err(Error::internal)?
}
