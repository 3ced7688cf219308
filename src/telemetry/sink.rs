//! Writes log lines. Requests append to a buffer, and one thread writes the buffer in batches.

use std::{
    io::{self, Write},
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

/// Limit of the buffer, in bytes. When the reader of the log stalls, ordinary lines are dropped.
const MAX_BUFFERED: usize = 8 << 20;
/// Time that the thread waits after the first line of a batch, so that it wakes seldom under load.
const BATCH_INTERVAL: Duration = Duration::from_millis(5);
/// Time limit of an audit line that waits for space in the buffer, and of a flush.
const WAIT_TIMEOUT: Duration = Duration::from_secs(2);

/// Clones share one buffer and one thread. The thread ends after the last clone is dropped.
#[derive(Clone)]
pub struct Sink(Arc<Handle>);

struct Handle(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    written: Condvar,
    /// All lines that were dropped.
    dropped: AtomicU64,
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "the states of the thread and the requests to it are independent")]
struct State {
    buffer: Vec<u8>,
    /// Lines that were dropped since the last batch.
    dropped: u64,
    /// The thread waits for work and must be woken.
    idle: bool,
    /// The thread is writing a batch.
    writing: bool,
    /// A flush waits: the thread writes without waiting for more lines.
    flush_requested: bool,
    closed: bool,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.state.lock().closed = true;
        self.0.work.notify_one();
    }
}

impl Sink {
    /// Starts the thread that writes to `writer`.
    pub fn new(writer: Box<dyn Write + Send>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            written: Condvar::new(),
            dropped: AtomicU64::new(0),
        });
        let writer_side = Arc::clone(&shared);
        thread::Builder::new().name("log".to_owned()).spawn(move || writer_side.write_batches(writer))?;
        Ok(Self(Arc::new(Handle(shared))))
    }

    /// Appends a whole line. When the buffer is full, a line with `wait_for_space` waits at most `WAIT_TIMEOUT`. Lines
    /// for which there is no space are dropped and counted.
    pub fn line(&self, line: &[u8], wait_for_space: bool) {
        let shared = &self.0.0;
        let mut state = shared.state.lock();
        if state.buffer.len() + line.len() > MAX_BUFFERED {
            let deadline = Instant::now() + WAIT_TIMEOUT;
            while wait_for_space && state.buffer.len() + line.len() > MAX_BUFFERED {
                if shared.written.wait_until(&mut state, deadline).timed_out() {
                    break;
                }
            }
            if state.buffer.len() + line.len() > MAX_BUFFERED {
                state.dropped += 1;
                shared.dropped.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        state.buffer.extend_from_slice(line);
        if mem::take(&mut state.idle) {
            shared.work.notify_one();
        }
    }

    /// The number of lines that were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.0.0.dropped.load(Ordering::Relaxed)
    }

    /// Waits until the lines appended so far are written, at most `WAIT_TIMEOUT`.
    pub fn flush(&self) {
        let shared = &self.0.0;
        let deadline = Instant::now() + WAIT_TIMEOUT;
        let mut state = shared.state.lock();
        while !state.buffer.is_empty() || state.writing {
            state.flush_requested = true;
            shared.work.notify_one();
            if shared.written.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
    }
}

impl Shared {
    fn write_batches(&self, mut writer: Box<dyn Write + Send>) {
        let mut batch = Vec::new();
        loop {
            let mut state = self.state.lock();
            while state.buffer.is_empty() {
                if state.closed {
                    return;
                }
                state.idle = true;
                self.work.wait(&mut state);
            }
            state.idle = false;
            let batch_end = Instant::now() + BATCH_INTERVAL;
            while !state.flush_requested && !state.closed && !self.work.wait_until(&mut state, batch_end).timed_out() {}
            mem::swap(&mut state.buffer, &mut batch);
            let dropped = mem::take(&mut state.dropped);
            (state.writing, state.flush_requested) = (true, false);
            drop(state);

            // The server continues when its log cannot be written.
            let _ = writer.write_all(&batch);
            if dropped > 0 {
                let _ = writeln!(
                    writer,
                    "{{\"level\":\"WARN\",\"target\":\"log\",\"message\":\"{dropped} lines were dropped\"}}"
                );
            }
            let _ = writer.flush();
            batch.clear();
            // Returns the memory of a burst.
            batch.shrink_to(64 << 10);
            self.state.lock().writing = false;
            self.written.notify_all();
        }
    }
}

/// Keeps the written bytes.
#[cfg(test)]
#[derive(Clone, Default)]
pub(crate) struct Capture(Arc<Mutex<Vec<u8>>>);

#[cfg(test)]
impl Capture {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock()).into_owned()
    }
}

#[cfg(test)]
impl Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
