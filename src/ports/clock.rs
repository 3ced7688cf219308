//! The present time, as an argument.

use chrono::{DateTime, Utc};

/// Returns the current time. Tests set it.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> DateTime<Utc>;
}

/// The clock of the machine. No other code reads it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        #[expect(clippy::disallowed_methods, reason = "everything else takes its clock as an argument")]
        Utc::now()
    }
}
