//! The present time, as an argument.

use chrono::{DateTime, Utc};

/// Tells the time. Tests hold one they can move.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock: the only place that asks it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        #[expect(clippy::disallowed_methods, reason = "everything else takes its clock as an argument")]
        Utc::now()
    }
}
