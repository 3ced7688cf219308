//! Times as integers in microseconds, as both backends compute with them.

use std::time::Duration;

use crate::ports::clock::Clock;

/// A duration in microseconds; one that does not fit becomes the maximum.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Microseconds since the Unix epoch; 0 for times before it.
pub(super) fn now_us(clock: &dyn Clock) -> u64 {
    u64::try_from(clock.now().timestamp_micros()).unwrap_or(0)
}
