use std::sync::Arc;

use async_trait::async_trait;
use futures_util::poll;
use serde_json::json;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::*;
use crate::{
    domain::{
        app::App,
        id::{AppId, TaskId, WorkflowRunId, WorkspaceId},
    },
    memory::{MemoryKind, MemoryLedger},
    ports::{
        clock::{Clock, SystemClock},
        entropy::SystemEntropy,
        run_log_store::{LogEntry, LogPage, RunKey, RunLogStore, StopRequest},
        runtime::{self, EVENTS_AHEAD, RunEvents},
        state_stores::StateStores,
    },
    service::{app::run_slots::RunSlots, run::run_tasks::LocalRuns},
    store::state::in_process_stores,
    telemetry::metrics::runs::RunMetrics,
};

/// Logs whose appends wait for a permit.
struct SlowLogs {
    logs: Arc<dyn RunLogStore>,
    permits: Semaphore,
}

#[async_trait]
impl RunLogStore for SlowLogs {
    async fn append(&self, key: RunKey, entry: LogEntry) -> Result<bool> {
        let _permit = self.permits.acquire().await;
        self.logs.append(key, entry).await
    }

    async fn request_stop(&self, task: TaskId, owner: EndUserId) -> Result<StopRequest> {
        self.logs.request_stop(task, owner).await
    }

    async fn find_task(&self, run: WorkflowRunId) -> Result<Option<TaskId>> {
        self.logs.find_task(run).await
    }

    async fn read(&self, task: TaskId, from: u64, limit: usize) -> Result<Option<LogPage>> {
        self.logs.read(task, from, limit).await
    }
}

/// A run whose log waits, the sender of its events, and its log.
async fn slow_run() -> (RecordedStream, RunEvents, Arc<SlowLogs>) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let StateStores { run_logs, leases, .. } = in_process_stores(&clock);
    let logs = Arc::new(SlowLogs { logs: run_logs, permits: Semaphore::new(0) });
    let app = App {
        id: AppId(Uuid::new_v4()),
        workspace_id: WorkspaceId(Uuid::new_v4()),
        mode: AppMode::Workflow,
        max_active_requests: None,
    };
    let slots = RunSlots::new(Arc::clone(&leases), leases, Arc::new(SystemEntropy), 0);
    let memory = MemoryLedger::unlimited();
    let (events, stream) = runtime::events(EVENTS_AHEAD, &memory);
    let recorders = Recorders {
        logs: Arc::clone(&logs) as _,
        local: LocalRuns::default(),
        memory: memory.clone(),
        tasks: TaskTracker::new(),
    };
    let run = RecordedStream {
        unrecorded: None,
        recorded: VecDeque::new(),
        stream,
        owner: EndUserId(Uuid::new_v4()),
        has_graph: true,
        stop: CancellationToken::new(),
        recorders,
        recorder: None,
        measured: MeasuredRun::new(RunMetrics::new(&opentelemetry::global::meter("none")).begin(AppMode::Workflow)),
        _slot: slots.acquire(&app).await.unwrap(),
        _definition_memory: memory.permit(MemoryKind::Json, None),
    };
    (run, events, logs)
}

fn event(name: &str, task: TaskId) -> RunEvent {
    let json = json!({"event": name, "task_id": task.to_string(), "workflow_run_id": Uuid::new_v4()});
    RunEvent::parse(json.to_string().into()).unwrap()
}

#[tokio::test]
async fn event_whose_reader_leaves_is_logged() {
    let (mut run, events, logs) = slow_run().await;
    let task = TaskId(Uuid::new_v4());
    for name in ["workflow_started", "workflow_finished"] {
        events.send(Ok(event(name, task))).await.unwrap();
    }
    drop(events);
    {
        let mut next = Box::pin(run.next());
        assert!(poll!(&mut next).is_pending(), "the log is not open yet");
    }
    logs.permits.add_permits(1);
    let tasks = run.recorders.tasks.clone();
    run.drain().await;
    tasks.close();
    tasks.wait().await;
    let page = logs.read(task, 0, 9).await.unwrap().unwrap();
    let names: Vec<_> = page.events.into_iter().map(|json| RunEvent::parse(json).unwrap().event.into_owned()).collect();
    assert_eq!(names, ["workflow_started", "workflow_finished"]);
}
