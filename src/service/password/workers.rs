//! The threads that hash.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    argon::HashMemory,
    queue::{ClientQueueFullError, JobQueue, Next},
};
use crate::{
    domain::{Code, Error, Result},
    memory::{MemoryLedger, Owner},
};

/// How long a thread keeps its memory without work.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// The `Retry-After` of work that is refused.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Threads and their queue. The threads end when this is dropped.
pub(super) struct Workers {
    queue: Arc<JobQueue>,
}

impl Workers {
    pub(super) fn start(count: usize, memory: &MemoryLedger) -> Result<Self> {
        let queue = Arc::new(JobQueue::default());
        for number in 0..count {
            let (queue, memory) = (Arc::clone(&queue), HashMemory::new(memory));
            thread::Builder::new()
                .name(format!("password-{number}"))
                .spawn(move || work(&queue, memory))
                .map_err(Error::internal)?;
        }
        Ok(Self { queue })
    }

    /// Runs work on one of the threads, when it is the client's turn. A caller that leaves while it waits costs
    /// nothing.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        client: Owner,
        work: impl FnOnce(&mut HashMemory) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, result) = oneshot::channel();
        let job = move |memory: &mut HashMemory| {
            if !reply.is_closed() {
                let _ = reply.send(work(memory));
            }
        };
        self.queue.push(client, Box::new(job)).map_err(|ClientQueueFullError| {
            Error::new(Code::RateLimited, "Too many sign-ins at once. Wait a moment and try again.")
                .with_retry_after(RETRY_AFTER)
        })?;
        result
            .await
            .unwrap_or_else(|_| Err(Error::unavailable("too many sign-ins at once").with_retry_after(RETRY_AFTER)))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn work(queue: &JobQueue, mut memory: HashMemory) {
    loop {
        let idle_after = (!memory.is_empty()).then_some(IDLE_TIMEOUT);
        match queue.pop(idle_after) {
            // A panic fails its own job only.
            Next::Run(job) => _ = catch_unwind(AssertUnwindSafe(|| job(&mut memory))),
            Next::Idle => memory.release(),
            Next::Closed => return,
        }
    }
}
