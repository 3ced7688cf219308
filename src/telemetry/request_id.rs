//! Ids of requests. Every response and every log line about the request contains one.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{HeaderValue, header::InvalidHeaderValue};

use crate::{
    domain::{Result, secret::hex},
    ports::entropy::Entropy,
};

tokio::task_local! {
    static CURRENT: Arc<str>;
}

/// Generates request ids: 8 random bytes of the process and a counter, so that a request draws no random bytes.
#[derive(Debug)]
pub(crate) struct RequestIds {
    process: [u8; 8],
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(entropy: &dyn Entropy) -> Result<Self> {
        Ok(Self { process: entropy.array()?, next: AtomicU64::new(1) })
    }

    /// The next id, 32 hex digits, as a header value.
    pub(crate) fn next_header(&self) -> Result<HeaderValue, InvalidHeaderValue> {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.process);
        id[8..].copy_from_slice(&self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        HeaderValue::try_from(hex(&id))
    }
}

/// Runs a request with `id` as the current id.
pub(crate) fn scope<F: Future>(id: Arc<str>, request: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(id, request)
}

/// Runs a part of a request, which does not wait, with `id` as the current id.
pub(crate) fn enter<T>(id: Arc<str>, work: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(id, work)
}

/// The id of the current request; empty outside one.
pub(crate) fn current() -> Arc<str> {
    find_current().unwrap_or_else(|| Arc::from(""))
}

/// The id of the current request; `None` outside one, as in a command.
pub(crate) fn find_current() -> Option<Arc<str>> {
    CURRENT.try_with(Clone::clone).ok().filter(|id| !id.is_empty())
}
