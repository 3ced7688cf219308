//! When the steps of a shutdown end, so that all of them fit into `SHUTDOWN_TIMEOUT`.

use std::time::Duration;

use tokio::time::Instant;

/// The timeout from which on more time is given to open requests only.
const FULL_TIMEOUT: Duration = Duration::from_secs(25);

/// The ends of the steps, in their order.
#[derive(Clone, Copy, Debug)]
pub struct ShutdownDeadlines {
    /// Until load balancers know that the server is not ready.
    pub announcement: Instant,
    /// Of open requests and streams.
    pub requests: Instant,
    /// Of the last events of cancelled runs.
    pub runs: Instant,
    /// Of connections that were cut.
    pub connections: Instant,
    /// Of runs without a client, which are stored, and of their logs.
    pub stored_runs: Instant,
    /// Of the last writes to the stores.
    pub writes: Instant,
    /// Of the last export of telemetry: the end of the timeout.
    pub exports: Instant,
}

impl ShutdownDeadlines {
    /// The steps of a shutdown that begins now. In 25 s requests have 15 s after the announcement of 2 s.
    pub fn within(timeout: Duration) -> Self {
        let began = Instant::now();
        let share = |seconds: u32| timeout.min(FULL_TIMEOUT) * seconds / 25;
        let end = began + timeout;
        Self {
            announcement: began + share(2),
            requests: end.checked_sub(share(8)).unwrap_or(began),
            runs: end.checked_sub(share(6)).unwrap_or(began),
            connections: end.checked_sub(share(5)).unwrap_or(began),
            stored_runs: end.checked_sub(share(4)).unwrap_or(began),
            writes: end.checked_sub(share(3)).unwrap_or(began),
            exports: end.checked_sub(share(1)).unwrap_or(began),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_each_other_within_the_timeout() {
        for (timeout, requests) in [(5, 3.4), (25, 17.0), (3_600, 3_592.0)] {
            let began = Instant::now();
            let ends = ShutdownDeadlines::within(Duration::from_secs(timeout));
            let steps = [
                ends.announcement,
                ends.requests,
                ends.runs,
                ends.connections,
                ends.stored_runs,
                ends.writes,
                ends.exports,
                began + Duration::from_secs(timeout),
            ];
            assert!(steps.is_sorted_by(|left, right| left < right), "{ends:?}");
            let of_requests = ends.requests.duration_since(began).as_secs_f64();
            assert!((of_requests - requests).abs() < 0.5, "{of_requests}");
        }
    }
}
