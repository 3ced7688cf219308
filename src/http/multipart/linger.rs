//! Reads on after a body was refused. A connection that is closed while its client still sends is reset, and the client
//! may lose the answer.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures_util::StreamExt as _;
use tokio::{runtime::Handle, time::timeout};

/// Longest time to read on.
const MAX_TIME: Duration = Duration::from_secs(5);
/// Bytes to read on.
const MAX_BYTES: usize = 16 << 20;

/// Drops the rest of a body in the background, within bounds.
pub(crate) fn linger(mut body: BodyDataStream) {
    let Ok(runtime) = Handle::try_current() else { return };
    runtime.spawn(timeout(MAX_TIME, async move {
        let mut left = MAX_BYTES;
        while let Some(Ok(frame)) = body.next().await {
            let Some(rest) = left.checked_sub(frame.len()) else { return };
            left = rest;
        }
    }));
}
