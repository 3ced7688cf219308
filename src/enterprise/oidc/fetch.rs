//! Requests to the provider, bounded in time and size.

use std::time::Duration;

use reqwest::RequestBuilder;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::error::FetchError;
use crate::http_client::{BodyError, read_body};

/// Longest time of a request with its response.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends a request and reads at most `max_bytes` of JSON from a response with status 200.
pub(super) async fn fetch_json<T: DeserializeOwned>(
    request: RequestBuilder,
    max_bytes: usize,
) -> Result<T, FetchError> {
    timeout(TOTAL_TIMEOUT, read_json(request, max_bytes)).await.unwrap_or(Err(FetchError::TimedOut))
}

async fn read_json<T: DeserializeOwned>(request: RequestBuilder, max_bytes: usize) -> Result<T, FetchError> {
    let mut response = request.header("accept", "application/json").send().await.map_err(unreachable)?;
    if response.status() != 200 {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let bytes = read_body(&mut response, max_bytes).await.map_err(|error| match error {
        BodyError::TooLong => FetchError::TooLong(max_bytes),
        BodyError::Interrupted(error) => unreachable(error),
    })?;
    serde_json::from_slice(&bytes).map_err(FetchError::Malformed)
}

/// The URL is left out of the error, because a callback's code may be part of it.
fn unreachable(error: reqwest::Error) -> FetchError {
    if error.is_timeout() { FetchError::TimedOut } else { FetchError::Unreachable(error.without_url()) }
}
