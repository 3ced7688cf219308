//! Reads the lines of a response while it arrives, within a limit and the memory that the ledger grants.

use bytes::Bytes;
use reqwest::Response;

use super::line_buffer::{InvalidLineError, LineBuffer};
use crate::memory::{MemoryError, MemoryPermit};

/// Why there is no further line.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error(transparent)]
    Invalid(#[from] InvalidLineError),
    #[error("it is too long")]
    TooLong,
    #[error("the answer of the plugin daemon was interrupted")]
    Interrupted(#[source] reqwest::Error),
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// The lines of a response. Dropping it ends the request.
pub(super) struct LineReader {
    response: Response,
    buffer: LineBuffer,
    /// Bytes that were received.
    received: usize,
    max_bytes: usize,
    /// Holds the buffered bytes and what was reserved; `None` where the whole answer is small.
    memory: Option<MemoryPermit>,
    reserved: usize,
    at_end: bool,
}

impl LineReader {
    /// Reads at most `max_bytes`.
    pub(super) fn new(response: Response, max_bytes: usize, memory: Option<MemoryPermit>) -> Self {
        let buffer = LineBuffer::default();
        Self { response, buffer, received: 0, max_bytes, memory, reserved: 0, at_end: false }
    }

    /// The JSON of the next line; `None` at the end. The caller has a timeout.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, LineError> {
        loop {
            if let Some(line) = self.buffer.next(self.at_end)? {
                return Ok(Some(line));
            }
            if self.at_end {
                return Ok(None);
            }
            let chunk = self.response.chunk().await;
            let Some(chunk) = chunk.map_err(|error| LineError::Interrupted(error.without_url()))? else {
                self.at_end = true;
                continue;
            };
            self.received += chunk.len();
            if self.received > self.max_bytes {
                return Err(LineError::TooLong);
            }
            self.hold(self.buffer.len() + chunk.len())?;
            self.buffer.push(&chunk);
        }
    }

    /// Reserves memory for what the caller makes of the lines, instead of what it has reserved before.
    pub(super) fn reserve(&mut self, bytes: usize) -> Result<(), MemoryError> {
        self.reserved = bytes;
        self.hold(self.buffer.len())
    }

    /// The buffer doubles when it grows.
    fn hold(&mut self, buffered: usize) -> Result<(), MemoryError> {
        match &mut self.memory {
            Some(memory) => memory.resize(2 * buffered + self.reserved),
            None => Ok(()),
        }
    }
}
