//! A clock that stands still until a test moves it; Redis' clock moves with it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use dify_openapi::testing::ports::clock::{Clock, SystemClock};

/// Real time plus whatever the test has added.
#[derive(Clone, Default)]
pub struct TestClock(pub Arc<AtomicI64>);

impl TestClock {
    /// Moves time on.
    pub fn advance(&self, by: TimeDelta) {
        self.0.fetch_add(by.num_microseconds().unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::microseconds(self.0.load(Ordering::SeqCst))
    }
}
