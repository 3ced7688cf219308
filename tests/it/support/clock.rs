//! The clock of tests. The clock that Redis scripts use moves with it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use dify_openapi::testing::ports::{Clock, SystemClock};

/// The system's time plus an offset in microseconds. It runs on between two steps of a test, so a step that must stay
/// before a deadline keeps a distance of some seconds.
#[derive(Clone, Default)]
pub struct TestClock(pub Arc<AtomicI64>);

impl TestClock {
    /// Adds to the offset.
    pub fn advance(&self, by: TimeDelta) {
        self.0.fetch_add(by.num_microseconds().unwrap(), Ordering::SeqCst);
    }

    /// The offset in microseconds.
    pub fn offset(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    pub fn set_offset(&self, offset: i64) {
        self.0.store(offset, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::microseconds(self.offset())
    }
}
