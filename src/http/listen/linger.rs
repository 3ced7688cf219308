//! The end of a connection whose client may still be sending: how much is discarded, and for how long.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Sleep, sleep};

/// Bytes that are discarded at most. Nothing of them is kept.
const MAX_BYTES: usize = 16 << 20;
/// The time that a client has to read the response and to close.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What is left of both.
pub(super) struct Linger {
    bytes: usize,
    timer: Pin<Box<Sleep>>,
}

impl Linger {
    pub(super) fn new() -> Self {
        Self::lasting(TIMEOUT)
    }

    fn lasting(timeout: Duration) -> Self {
        Self { bytes: MAX_BYTES, timer: Box::pin(sleep(timeout)) }
    }

    /// Records discarded bytes.
    pub(super) fn discarded(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Whether nothing is left. Otherwise the task wakes when the time has passed.
    pub(super) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.bytes == 0 || matches!(self.timer.as_mut().poll(cx), Poll::Ready(()))
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Waker};

    use super::*;

    #[tokio::test]
    async fn it_is_over_after_its_bytes_or_its_time() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut linger = Linger::new();
        linger.discarded(MAX_BYTES - 1);
        assert!(!linger.is_over(&mut cx));
        linger.discarded(2);
        assert!(linger.is_over(&mut cx));

        let mut linger = Linger::lasting(Duration::from_millis(1));
        poll_fn(|cx| if linger.is_over(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}
