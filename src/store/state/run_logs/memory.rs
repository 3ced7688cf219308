//! Logs of runs in this process.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::{
    domain::{
        Error, Result,
        id::{EndUserId, TaskId, WorkflowRunId},
    },
    ports::{
        clock::Clock,
        run_log_store::{
            EVENT_OVERHEAD, FINISHED_RETENTION, LEASE, LogEntry, LogPage, MAX_BYTES, MAX_EVENTS, RETENTION, RunKey,
            RunLogStore, RunPhase, StopRequest,
        },
    },
    store::state::micros::{micros, now_us},
};

/// Limit of bytes of all logs. Above it the oldest logs lose their events.
const MAX_TOTAL_BYTES: usize = 64 << 20;

/// Logs of runs in this process.
pub(crate) struct MemoryRunLogStore {
    clock: Arc<dyn Clock>,
    logs: Mutex<Logs>,
}

#[derive(Default)]
struct Logs {
    by_task: HashMap<TaskId, Log>,
    tasks: HashMap<WorkflowRunId, TaskId>,
    /// The tasks of all logs, oldest first.
    order: VecDeque<TaskId>,
    /// The tasks that have finished, and when their events expire, in that order.
    finished: VecDeque<(TaskId, u64)>,
    total_bytes: usize,
    capacity: usize,
}

struct Log {
    key: RunKey,
    phase: RunPhase,
    is_stopping: bool,
    segment: u64,
    /// Number of the first event that is kept.
    first: u64,
    events: VecDeque<Bytes>,
    bytes: usize,
    lease_us: u64,
    expires_us: u64,
}

impl Log {
    fn new(key: RunKey) -> Self {
        Self {
            key,
            phase: RunPhase::Running,
            is_stopping: false,
            segment: 0,
            first: 0,
            events: VecDeque::new(),
            bytes: 0,
            lease_us: 0,
            expires_us: 0,
        }
    }

    fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    fn drop_first(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.bytes -= event.len() + EVENT_OVERHEAD;
            self.first += 1;
        }
    }

    /// Drops all events.
    fn clear(&mut self) {
        self.first = self.end();
        self.events = VecDeque::new();
        self.bytes = 0;
    }

    fn push(&mut self, event: Bytes) {
        if event.len() + EVENT_OVERHEAD > MAX_BYTES {
            return;
        }
        self.bytes += event.len() + EVENT_OVERHEAD;
        self.events.push_back(event);
        while self.events.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
            self.drop_first();
        }
    }
}

impl MemoryRunLogStore {
    /// Keeps at most `max_logs` logs; a further run is not logged.
    pub(crate) fn new(clock: Arc<dyn Clock>, max_logs: usize) -> Self {
        Self { clock, logs: Mutex::new(Logs { capacity: max_logs, ..Logs::default() }) }
    }
}

impl Logs {
    fn find(&mut self, task: TaskId, now_us: u64) -> Option<&mut Log> {
        self.by_task.get_mut(&task).filter(|log| now_us < log.expires_us)
    }

    /// The log of a task, a new one if there is none.
    fn open(&mut self, key: RunKey, now_us: u64) -> Result<&mut Log> {
        if self.find(key.task, now_us).is_none() {
            self.remove(key.task);
            if self.by_task.len() >= self.capacity {
                return Err(Error::unavailable("in-process logs of runs are full"));
            }
            self.order.push_back(key.task);
        }
        Ok(self.by_task.entry(key.task).or_insert_with(|| Log::new(key)))
    }

    fn remove(&mut self, task: TaskId) {
        if let Some(log) = self.by_task.remove(&task) {
            self.total_bytes -= log.bytes;
            if let Some(run) = log.key.run {
                self.tasks.remove(&run);
            }
        }
    }

    /// Drops the events of a log.
    fn clear(&mut self, task: TaskId) {
        if let Some(log) = self.by_task.get_mut(&task) {
            self.total_bytes -= log.bytes;
            log.clear();
        }
    }

    /// Drops the events of finished runs in time. Removes the oldest logs if they have expired, and the events of the
    /// oldest logs above the limit of all.
    fn trim(&mut self, now_us: u64) {
        while let Some(&(task, _)) = self.finished.front().filter(|(_, expires_us)| *expires_us <= now_us) {
            self.finished.pop_front();
            self.clear(task);
        }
        while let Some(&oldest) = self.order.front() {
            let is_full = self.total_bytes > MAX_TOTAL_BYTES;
            match self.by_task.get(&oldest) {
                Some(log) if now_us < log.expires_us => {
                    if !is_full {
                        return;
                    }
                    self.clear(oldest);
                    self.order.rotate_left(1);
                }
                _ => {
                    self.remove(oldest);
                    self.order.pop_front();
                }
            }
        }
    }
}

#[async_trait]
impl RunLogStore for MemoryRunLogStore {
    async fn append(&self, key: RunKey, entry: LogEntry) -> Result<bool> {
        let (mut logs, now_us) = (self.logs.lock(), now_us(&*self.clock));
        logs.trim(now_us);
        let log = logs.open(key, now_us)?;
        let has_finished = log.phase != RunPhase::Finished && entry.phase == RunPhase::Finished;
        log.phase = entry.phase;
        log.lease_us = now_us.saturating_add(micros(LEASE));
        log.expires_us = now_us.saturating_add(micros(RETENTION));
        if entry.begins_segment {
            log.segment = log.end();
        }
        let before = log.bytes;
        entry.events.into_iter().for_each(|event| log.push(event));
        let (after, is_stopping) = (log.bytes, log.is_stopping);
        logs.total_bytes = logs.total_bytes - before + after;
        if has_finished {
            logs.finished.push_back((key.task, now_us.saturating_add(micros(FINISHED_RETENTION))));
        }
        if let Some(run) = key.run.filter(|_| entry.links_run) {
            logs.tasks.insert(run, key.task);
        }
        logs.trim(now_us);
        Ok(is_stopping)
    }

    async fn request_stop(&self, task: TaskId, owner: EndUserId) -> Result<StopRequest> {
        let (mut logs, now_us) = (self.logs.lock(), now_us(&*self.clock));
        Ok(match logs.find(task, now_us) {
            None => StopRequest::Unknown,
            Some(log) if log.key.owner != owner => StopRequest::OtherOwner,
            Some(log) => {
                log.is_stopping = true;
                StopRequest::Requested
            }
        })
    }

    async fn find_task(&self, run: WorkflowRunId) -> Result<Option<TaskId>> {
        Ok(self.logs.lock().tasks.get(&run).copied())
    }

    async fn read(&self, task: TaskId, from: u64, limit: usize) -> Result<Option<LogPage>> {
        let (mut logs, now_us) = (self.logs.lock(), now_us(&*self.clock));
        logs.trim(now_us);
        let Some(log) = logs.find(task, now_us) else { return Ok(None) };
        let first = from.max(log.first).min(log.end());
        let skipped = usize::try_from(first - log.first).unwrap_or(usize::MAX);
        Ok(Some(LogPage {
            owner: log.key.owner,
            phase: log.phase,
            is_lost: log.phase == RunPhase::Running && now_us >= log.lease_us,
            segment: log.segment,
            end: log.end(),
            first,
            events: log.events.iter().skip(skipped).take(limit).cloned().collect(),
        }))
    }
}
