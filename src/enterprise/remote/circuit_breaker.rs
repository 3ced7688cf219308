//! Stops requests to a service that fails repeatedly, so that callers get their error at once instead of after a
//! timeout. After a while one request is let through; its outcome closes or opens the circuit again.

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;

pub(super) struct CircuitBreaker {
    max_failures: u32,
    open_for: TimeDelta,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Requests pass. The number of failures in a row.
    Closed(u32),
    /// No request passes before `open_for` has passed since this time.
    Open(DateTime<Utc>),
    /// One request is under way since this time; others do not pass.
    HalfOpen(DateTime<Utc>),
}

impl CircuitBreaker {
    pub(super) fn new(max_failures: u32, open_for: TimeDelta) -> Self {
        Self { max_failures, open_for, state: Mutex::new(State::Closed(0)) }
    }

    /// Whether a request may be sent now. Its outcome must be recorded.
    pub(super) fn admits(&self, now: DateTime<Utc>) -> bool {
        let mut state = self.state.lock();
        match *state {
            State::Closed(_) => true,
            // A request whose outcome was never recorded counts as failed after the same time.
            State::Open(since) | State::HalfOpen(since) if self.has_passed(since, now) => {
                *state = State::HalfOpen(now);
                true
            }
            State::Open(_) | State::HalfOpen(_) => false,
        }
    }

    pub(super) fn record_success(&self) {
        *self.state.lock() = State::Closed(0);
    }

    pub(super) fn record_failure(&self, now: DateTime<Utc>) {
        let mut state = self.state.lock();
        *state = match *state {
            State::Closed(failures) if failures + 1 < self.max_failures => State::Closed(failures + 1),
            State::Closed(_) | State::HalfOpen(_) => State::Open(now),
            // A request that was sent before the circuit opened.
            State::Open(since) => State::Open(since),
        };
    }

    /// Whether requests are held back.
    pub(super) fn is_open(&self) -> bool {
        !matches!(*self.state.lock(), State::Closed(_))
    }

    /// A clock that was set back does not keep the circuit open.
    fn has_passed(&self, since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        now < since || now - since >= self.open_for
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn breaker() -> CircuitBreaker {
        CircuitBreaker::new(3, TimeDelta::seconds(5))
    }

    fn fail(breaker: &CircuitBreaker, times: u32, now: DateTime<Utc>) {
        for _ in 0..times {
            assert!(breaker.admits(now));
            breaker.record_failure(now);
        }
    }

    #[test]
    fn failures_in_a_row_open_the_circuit() {
        let breaker = breaker();
        fail(&breaker, 2, at(0));
        breaker.record_success();
        fail(&breaker, 2, at(0));
        assert!(!breaker.is_open(), "a success ends the row");
        fail(&breaker, 1, at(0));
        assert!(breaker.is_open() && !breaker.admits(at(4)));
    }

    #[test]
    fn one_request_decides_after_the_pause() {
        let breaker = breaker();
        fail(&breaker, 3, at(0));
        assert!(breaker.admits(at(5)));
        assert!(!breaker.admits(at(5)), "one request is under way");
        breaker.record_failure(at(6));
        assert!(!breaker.admits(at(10)));
        assert!(breaker.admits(at(11)));
        breaker.record_success();
        assert!(breaker.admits(at(11)) && breaker.admits(at(11)) && !breaker.is_open());
    }

    #[test]
    fn late_failures_do_not_prolong_the_pause() {
        let breaker = breaker();
        for _ in 0..10 {
            assert!(breaker.admits(at(0)));
        }
        for second in 0..10 {
            breaker.record_failure(at(second % 5));
        }
        assert!(breaker.admits(at(8)));
    }

    #[test]
    fn lost_outcome_and_changed_clock_do_not_keep_the_circuit_open() {
        let breaker = breaker();
        fail(&breaker, 3, at(100));
        assert!(breaker.admits(at(105)), "the outcome of this request is lost");
        assert!(!breaker.admits(at(109)));
        assert!(breaker.admits(at(110)));
        breaker.record_failure(at(110));
        assert!(breaker.admits(at(50)));
    }
}
