//! The parts of the process that an application gets: clock, randomness, metrics.

use std::sync::{Arc, atomic::AtomicI64};

use crate::{
    ports::{
        clock::{Clock, SystemClock},
        entropy::{Entropy, SystemEntropy},
    },
    telemetry::metrics::Metrics,
};

/// The parts of the process that tests replace.
#[derive(Clone)]
pub struct Dependencies {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub metrics: Arc<Metrics>,
    /// Microseconds that Redis' clock is ahead; 0 outside tests.
    pub redis_clock_offset: Arc<AtomicI64>,
}

impl Dependencies {
    /// The system's clock and randomness.
    pub(crate) fn system(metrics: Arc<Metrics>) -> Self {
        Self {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            metrics,
            redis_clock_offset: Arc::new(AtomicI64::new(0)),
        }
    }
}
