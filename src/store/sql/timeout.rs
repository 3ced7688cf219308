//! The time limit of a call to the database.

use std::{future::Future, time::Duration};

use super::error::DatabaseTimeoutError;
use crate::domain::error::{Error, Result};

/// How long one call may take, transaction and retries included (contract section 6: 5 s for the mint's).
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs a call within the time limit, after which it fails with `service_unavailable`.
pub(super) async fn with_timeout<T, E: Into<Error>>(call: impl Future<Output = Result<T, E>>) -> Result<T> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(Error::unavailable(DatabaseTimeoutError)),
    }
}
