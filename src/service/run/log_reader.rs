//! Reads the log of a run page by page, within the memory of its reader.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    domain::{
        Result,
        id::{TaskId, WorkflowRunId},
    },
    memory::MemoryPermit,
    ports::run_log_store::{LogPage, MAX_BYTES, RunLogStore},
};

pub(super) struct LogReader {
    logs: Arc<dyn RunLogStore>,
    run: WorkflowRunId,
    /// `None` until there is a log.
    task: Option<TaskId>,
    /// Includes the page that was read last.
    memory: MemoryPermit,
    /// Memory of the reader besides its page.
    base_bytes: usize,
}

impl LogReader {
    /// `memory` is that of the reader without a page.
    pub(super) fn new(logs: Arc<dyn RunLogStore>, run: WorkflowRunId, memory: MemoryPermit) -> Self {
        let base_bytes = memory.bytes();
        Self { logs, run, task: None, memory, base_bytes }
    }

    pub(super) fn task(&self) -> Option<TaskId> {
        self.task
    }

    /// At most `limit` events from number `from`; `None` without a log. The page before must have been dropped. Fails
    /// with
    /// `service_unavailable` or `rate_limited` while there is no memory for a page.
    pub(super) async fn read(&mut self, from: u64, limit: usize) -> Result<Option<LogPage>> {
        if self.task.is_none() {
            self.task = self.logs.find_task(self.run).await?;
        }
        let Some(task) = self.task else { return Ok(None) };
        // A page is at most the whole log.
        self.memory.resize(self.base_bytes + MAX_BYTES)?;
        let page = self.logs.read(task, from, limit).await;
        let events = page.as_ref().ok().and_then(Option::as_ref).map_or(&[][..], |page| &page.events);
        self.memory.resize(self.base_bytes + events.iter().map(Bytes::len).sum::<usize>())?;
        page
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::id::EndUserId,
        memory::{MemoryKind, MemoryLedger, Owner},
        ports::{
            clock::{Clock, SystemClock},
            run_log_store::{LogEntry, RunKey, RunPhase},
        },
        store::state::in_process_stores,
    };

    const BASE: usize = 100;

    fn logs() -> Arc<dyn RunLogStore> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        in_process_stores(&clock).run_logs
    }

    #[tokio::test]
    async fn page_takes_memory_until_the_next_is_read() {
        let logs = logs();
        let run = WorkflowRunId(Uuid::new_v4());
        let memory = MemoryLedger::with_limits(|_| 3 * MAX_BYTES);
        let permit = memory.reserve_for(Owner::of(&1), MemoryKind::Runs, BASE).unwrap();
        let mut reader = LogReader::new(Arc::clone(&logs), run, permit);
        assert!(reader.read(0, 9).await.unwrap().is_none());

        let key = RunKey { task: TaskId(Uuid::new_v4()), owner: EndUserId(Uuid::new_v4()), run: Some(run) };
        let events = vec![Bytes::from_static(b"12345"), Bytes::from_static(b"6789")];
        let entry = LogEntry { phase: RunPhase::Running, begins_segment: false, links_run: true, events };
        logs.append(key, entry).await.unwrap();
        assert_eq!(reader.read(0, 9).await.unwrap().unwrap().events.len(), 2);
        assert_eq!((reader.task(), memory.used(MemoryKind::Runs)), (Some(key.task), BASE + 9));
        assert_eq!(reader.read(2, 9).await.unwrap().unwrap().events.len(), 0);
        assert_eq!(memory.used(MemoryKind::Runs), BASE);
        drop(reader);
        assert_eq!(memory.used(MemoryKind::Runs), 0);
    }

    #[tokio::test]
    async fn page_without_memory_is_not_read() {
        let logs = logs();
        let run = WorkflowRunId(Uuid::new_v4());
        let key = RunKey { task: TaskId(Uuid::new_v4()), owner: EndUserId(Uuid::new_v4()), run: Some(run) };
        let entry = LogEntry { phase: RunPhase::Running, begins_segment: false, links_run: true, events: Vec::new() };
        logs.append(key, entry).await.unwrap();
        let memory = MemoryLedger::with_limits(|_| 3 * MAX_BYTES);
        let others = memory.reserve(MemoryKind::Runs, 2 * MAX_BYTES + 2 * BASE).unwrap();
        let permit = memory.reserve_for(Owner::of(&1), MemoryKind::Runs, BASE).unwrap();
        let mut reader = LogReader::new(logs, run, permit);
        assert!(reader.read(0, 9).await.is_err());
        drop(others);
        assert!(reader.read(0, 9).await.unwrap().is_some());
    }
}
