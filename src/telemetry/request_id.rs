//! The id of the request at hand: in every response, and beside every log line about it.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    domain::{Result, secret::hex},
    ports::entropy::Entropy,
};

tokio::task_local! {
    static CURRENT: Arc<str>;
}

/// Makes ids: a random half for the process and a counting half, so that one costs no random bytes of its own.
#[derive(Debug)]
pub(crate) struct RequestIds {
    process: [u8; 8],
    next: AtomicU64,
}

impl RequestIds {
    /// Ids that no other process makes.
    pub(crate) fn new(entropy: &dyn Entropy) -> Result<Self> {
        Ok(Self { process: entropy.array()?, next: AtomicU64::new(1) })
    }

    /// The next id: 32 hex digits, shared rather than copied.
    pub(crate) fn next(&self) -> Arc<str> {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.process);
        id[8..].copy_from_slice(&self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        hex(&id).into()
    }
}

/// Runs a request under its id.
pub(crate) fn scope<F: Future>(id: Arc<str>, request: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(id, request)
}

/// The id of the request at hand; empty outside one.
pub(crate) fn current() -> Arc<str> {
    CURRENT.try_with(Clone::clone).unwrap_or_else(|_| Arc::from(""))
}
