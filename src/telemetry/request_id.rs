//! The id of the request at hand: in every response, and beside every log line about it.

use std::future::Future;

tokio::task_local! {
    static CURRENT: String;
}

/// Runs a request under its id.
pub fn scope<F: Future>(id: String, request: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(id, request)
}

/// The id of the request at hand; empty outside one.
pub fn current() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}
