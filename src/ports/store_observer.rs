//! What watches the calls to the stores.

use std::{fmt::Debug, time::Duration};

use crate::domain::Code;

/// Receives the duration and the outcome of each call to a store.
pub trait StoreObserver: Debug + Send + Sync {
    /// `error` is the code of the error if the store failed.
    fn record(&self, call: StoreCall, duration: Duration, error: Option<Code>);
}

/// The kind of a call. All values are constants, which bounds the number of metric series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreCall {
    /// The value of `db.system.name` in OpenTelemetry's conventions, such as `postgresql`.
    pub system: &'static str,
    /// The operation, such as `SELECT`.
    pub operation: &'static str,
}
