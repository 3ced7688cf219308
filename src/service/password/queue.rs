//! The queue of password work: bounded, and fair by client. Clients take turns, and a queue that is full makes room for
//! a new client at the expense of the one that waits for most.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};

use super::argon::HashMemory;
use crate::memory::Owner;

/// Work that waits for a thread. Dropping it ends the wait of its caller with an error.
pub(super) type Job = Box<dyn FnOnce(&mut HashMemory) + Send>;

/// Jobs that may wait. The last one waits for as many hashes, divided by the threads.
const MAX_WAITING: usize = 64;
/// Jobs of one client that may wait.
const MAX_WAITING_OF_CLIENT: usize = 16;

/// What a thread does next.
pub(super) enum Next {
    Run(Job),
    /// There was nothing to do for the given time.
    Idle,
    Closed,
}

/// The client has as many jobs waiting as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientQueueFullError;

#[derive(Default)]
pub(super) struct JobQueue {
    waiting: Mutex<WaitingHashes>,
    changed: Condvar,
}

#[derive(Default)]
struct WaitingHashes {
    by_client: HashMap<Owner, VecDeque<Job>>,
    /// Clients with a job, in the order of their turns.
    turns: VecDeque<Owner>,
    jobs: usize,
    is_closed: bool,
}

impl JobQueue {
    pub(super) fn push(&self, client: Owner, job: Job) -> Result<(), ClientQueueFullError> {
        let mut waiting = self.waiting.lock();
        let of_client = waiting.by_client.get(&client).map_or(0, VecDeque::len);
        let is_full = waiting.jobs >= MAX_WAITING;
        let longest = waiting.by_client.values().map(VecDeque::len).max().unwrap_or_default();
        if of_client >= MAX_WAITING_OF_CLIENT || is_full && longest < of_client + 2 {
            return Err(ClientQueueFullError);
        }
        if is_full {
            waiting.drop_last_of_longest();
        }
        let jobs = waiting.by_client.entry(client).or_default();
        jobs.push_back(job);
        if of_client == 0 {
            waiting.turns.push_back(client);
        }
        waiting.jobs += 1;
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for the next job, for `idle_after` at most.
    pub(super) fn pop(&self, idle_after: Option<Duration>) -> Next {
        let mut waiting = self.waiting.lock();
        loop {
            if waiting.is_closed {
                return Next::Closed;
            }
            if let Some(job) = waiting.take_turn() {
                return Next::Run(job);
            }
            match idle_after {
                None => self.changed.wait(&mut waiting),
                Some(idle_after) => {
                    if self.changed.wait_for(&mut waiting, idle_after).timed_out() {
                        return Next::Idle;
                    }
                }
            }
        }
    }

    /// Ends the threads; what waits is dropped.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting.lock();
        *waiting = WaitingHashes { is_closed: true, ..WaitingHashes::default() };
        self.changed.notify_all();
    }
}

impl WaitingHashes {
    fn take_turn(&mut self) -> Option<Job> {
        let client = self.turns.pop_front()?;
        let jobs = self.by_client.get_mut(&client)?;
        let job = jobs.pop_front();
        if jobs.is_empty() {
            self.by_client.remove(&client);
        } else {
            self.turns.push_back(client);
        }
        self.jobs -= 1;
        job
    }

    fn drop_last_of_longest(&mut self) {
        if let Some(jobs) = self.by_client.values_mut().max_by_key(|jobs| jobs.len()) {
            // It has at least two, so that its client keeps its turn.
            jobs.pop_back();
            self.jobs -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;
    use crate::memory::MemoryLedger;

    struct TestQueue {
        queue: JobQueue,
        sender: mpsc::Sender<u32>,
        done: mpsc::Receiver<u32>,
        /// One reference for each job that was not dropped.
        live: Arc<()>,
    }

    impl TestQueue {
        fn new() -> Self {
            let (sender, done) = mpsc::channel();
            Self { queue: JobQueue::default(), sender, done, live: Arc::new(()) }
        }

        fn push(&self, client: u32) -> bool {
            let (sender, live) = (self.sender.clone(), Arc::clone(&self.live));
            let job = move |_: &mut HashMemory| {
                let _ = sender.send(client);
                drop(live);
            };
            self.queue.push(Owner::of(&client), Box::new(job)).is_ok()
        }

        /// Runs everything that waits; the clients in the order of their jobs.
        fn drain(&self) -> Vec<u32> {
            let mut memory = HashMemory::new(&MemoryLedger::unlimited());
            while let Next::Run(job) = self.queue.pop(Some(Duration::ZERO)) {
                job(&mut memory);
            }
            self.done.try_iter().collect()
        }
    }

    #[test]
    fn clients_take_turns() {
        let queue = TestQueue::new();
        for client in [1, 1, 1, 2, 3, 2] {
            assert!(queue.push(client));
        }
        assert_eq!(queue.drain(), [1, 2, 3, 1, 2, 1]);
        assert!(queue.queue.waiting.lock().by_client.is_empty());
    }

    #[test]
    fn a_client_has_a_bound_of_its_own() {
        let queue = TestQueue::new();
        assert_eq!((0..100).filter(|_| queue.push(1)).count(), MAX_WAITING_OF_CLIENT);
        assert!(queue.push(2));
    }

    #[test]
    fn a_full_queue_makes_room_for_new_clients_until_each_waits_for_one_job() {
        let queue = TestQueue::new();
        for client in 0..4 {
            while queue.push(client) {}
        }
        assert_eq!(Arc::strong_count(&queue.live) - 1, MAX_WAITING);
        for client in 4..u32::try_from(MAX_WAITING).unwrap() {
            assert!(queue.push(client), "{client}");
            assert_eq!(Arc::strong_count(&queue.live) - 1, MAX_WAITING);
        }
        assert!(!queue.push(1_000), "every client waits for one job");
        assert_eq!(queue.drain().len(), MAX_WAITING);
        assert!(queue.push(1_000));
    }

    #[test]
    fn closing_drops_what_waits() {
        let queue = TestQueue::new();
        queue.push(1);
        queue.queue.close();
        assert_eq!(Arc::strong_count(&queue.live), 1);
        assert!(matches!(queue.queue.pop(None), Next::Closed));
    }
}
