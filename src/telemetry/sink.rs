//! Where lines go: a buffer that requests append to, and one thread that writes it out in batches.

use std::{
    io::{self, Write},
    mem,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

/// Most bytes that wait. A reader that stalls costs ordinary lines, never memory.
const CAPACITY: usize = 8 << 20;
/// How long the thread gathers lines once there is one, so that it wakes seldom under load.
const BATCH: Duration = Duration::from_millis(5);
/// How long an audit line waits for room, and a flush for the writer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The sink. Clones share it; the thread ends with the last of them.
#[derive(Clone)]
pub struct Sink(Arc<Handle>);

struct Handle(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    written: Condvar,
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "what the thread does and what is asked of it are independent")]
struct State {
    buffer: Vec<u8>,
    dropped: u64,
    /// The thread waits for work and must be woken.
    idle: bool,
    /// The thread is writing a batch.
    writing: bool,
    /// Somebody waits: no gathering.
    urgent: bool,
    closed: bool,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.state.lock().closed = true;
        self.0.work.notify_one();
    }
}

impl Sink {
    /// A sink over this writer, with a thread of its own.
    pub fn new(writer: Box<dyn Write + Send>) -> io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), work: Condvar::new(), written: Condvar::new() });
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name("log".to_owned()).spawn(move || theirs.write_batches(writer))?;
        Ok(Self(Arc::new(Handle(shared))))
    }

    /// Appends a whole line. One that must not be lost waits for room for a while; others are dropped and counted.
    pub fn line(&self, line: &[u8], must_not_be_lost: bool) {
        let shared = &self.0.0;
        let mut state = shared.state.lock();
        if state.buffer.len() + line.len() > CAPACITY {
            let deadline = Instant::now() + PATIENCE;
            while must_not_be_lost && state.buffer.len() + line.len() > CAPACITY {
                if shared.written.wait_until(&mut state, deadline).timed_out() {
                    break;
                }
            }
            if state.buffer.len() + line.len() > CAPACITY {
                state.dropped += 1;
                return;
            }
        }
        state.buffer.extend_from_slice(line);
        if mem::take(&mut state.idle) {
            shared.work.notify_one();
        }
    }

    /// Waits until every line so far is written, for two seconds at most.
    pub fn flush(&self) {
        let shared = &self.0.0;
        let deadline = Instant::now() + PATIENCE;
        let mut state = shared.state.lock();
        while !state.buffer.is_empty() || state.writing {
            state.urgent = true;
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
            let gathered = Instant::now() + BATCH;
            while !state.urgent && !state.closed && !self.work.wait_until(&mut state, gathered).timed_out() {}
            mem::swap(&mut state.buffer, &mut batch);
            let dropped = mem::take(&mut state.dropped);
            (state.writing, state.urgent) = (true, false);
            drop(state);

            // A log nobody can read is no reason to stop serving.
            let _ = writer.write_all(&batch);
            if dropped > 0 {
                let _ = writeln!(
                    writer,
                    "{{\"level\":\"WARN\",\"target\":\"log\",\"message\":\"{dropped} lines were dropped\"}}"
                );
            }
            let _ = writer.flush();
            batch.clear();
            // After a burst the memory goes back.
            batch.shrink_to(64 << 10);
            self.state.lock().writing = false;
            self.written.notify_all();
        }
    }
}

/// A writer that keeps what is written.
#[cfg(test)]
#[derive(Clone, Default)]
pub(crate) struct Capture(Arc<Mutex<Vec<u8>>>);

#[cfg(test)]
impl Capture {
    /// Everything so far.
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
