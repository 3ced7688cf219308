//! Logs of runs, on both backends.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use crate::{
    domain::id::{EndUserId, TaskId, WorkflowRunId},
    ports::run_log_store::{
        FINISHED_RETENTION, LEASE, LogEntry, LogPage, MAX_BYTES, MAX_EVENTS, RETENTION, RunKey, RunPhase, StopRequest,
    },
    store::state::tests::backend::{TestBackend, count_concurrent, direct_connection, on_both_backends},
};

on_both_backends! {
    events_are_read_in_order_from_any_number,
    a_log_is_found_by_its_run_once_it_is_linked,
    events_of_a_finished_run_are_dropped_before_its_head,
    log_whose_events_were_evicted_goes_on,
    a_resumed_run_begins_a_segment,
    stop_reaches_the_run_of_its_owner_only,
    a_run_without_appends_is_lost_and_then_forgotten,
    old_events_are_dropped_above_the_limits,
    an_event_above_the_limit_is_left_out,
    concurrent_appends_lose_nothing,
}

fn key() -> RunKey {
    let run = Some(WorkflowRunId(Uuid::new_v4()));
    RunKey { task: TaskId(Uuid::new_v4()), owner: EndUserId(Uuid::new_v4()), run }
}

fn entry(phase: RunPhase, events: &[&str]) -> LogEntry {
    let events = events.iter().map(|event| Bytes::copy_from_slice(event.as_bytes())).collect();
    LogEntry { phase, begins_segment: false, links_run: false, events }
}

async fn append(backend: &TestBackend, key: RunKey, phase: RunPhase, events: &[&str]) -> bool {
    backend.stores.run_logs.append(key, entry(phase, events)).await.unwrap()
}

async fn read(backend: &TestBackend, key: RunKey, from: u64, limit: usize) -> Option<LogPage> {
    backend.stores.run_logs.read(key.task, from, limit).await.unwrap()
}

fn texts(page: &LogPage) -> Vec<&str> {
    page.events.iter().map(|event| std::str::from_utf8(event).unwrap()).collect()
}

async fn events_are_read_in_order_from_any_number(backend: &TestBackend) {
    let key = key();
    assert_eq!(read(backend, key, 0, 10).await, None);
    append(backend, key, RunPhase::Running, &[]).await;
    let empty = read(backend, key, 0, 10).await.unwrap();
    assert_eq!((empty.owner, empty.phase, empty.end, empty.events.len()), (key.owner, RunPhase::Running, 0, 0));
    append(backend, key, RunPhase::Running, &["a", "b"]).await;
    append(backend, key, RunPhase::Finished, &["c"]).await;
    let page = read(backend, key, 0, 2).await.unwrap();
    assert_eq!((texts(&page), page.first, page.end, page.phase), (vec!["a", "b"], 0, 3, RunPhase::Finished));
    let page = read(backend, key, 2, 2).await.unwrap();
    assert_eq!((texts(&page), page.first), (vec!["c"], 2));
    let page = read(backend, key, 9, 2).await.unwrap();
    assert_eq!((texts(&page), page.first), (vec![], 3), "there is nothing after the end");
}

async fn a_log_is_found_by_its_run_once_it_is_linked(backend: &TestBackend) {
    let (key, logs) = (key(), &backend.stores.run_logs);
    let run = key.run.unwrap();
    append(backend, key, RunPhase::Running, &[]).await;
    assert_eq!(logs.find_task(run).await.unwrap(), None);
    logs.append(key, LogEntry { links_run: true, ..entry(RunPhase::Running, &[]) }).await.unwrap();
    append(backend, key, RunPhase::Running, &["a"]).await;
    assert_eq!(logs.find_task(run).await.unwrap(), Some(key.task));
    assert_eq!(logs.find_task(WorkflowRunId(Uuid::new_v4())).await.unwrap(), None);
}

async fn events_of_a_finished_run_are_dropped_before_its_head(backend: &TestBackend) {
    let (finished, running) = (key(), key());
    append(backend, finished, RunPhase::Running, &["a"]).await;
    append(backend, running, RunPhase::Running, &["a"]).await;
    append(backend, finished, RunPhase::Finished, &["b"]).await;
    assert_eq!(texts(&read(backend, finished, 0, 9).await.unwrap()), ["a", "b"], "for followers that are behind");
    if backend.key_prefix.is_empty() {
        backend.advance(FINISHED_RETENTION);
    } else {
        // Redis expires keys by its real clock.
        let ttl = events_ttl(backend, finished).await;
        let Some(ttl) = ttl else { return };
        assert!(0 < ttl && ttl <= i64::try_from(FINISHED_RETENTION.as_millis()).unwrap(), "{ttl}");
        drop_events(backend, finished).await;
    }
    let page = read(backend, finished, 0, 9).await.unwrap();
    assert_eq!((texts(&page), page.first, page.end, page.phase), (vec![], 2, 2, RunPhase::Finished));
    assert_eq!(texts(&read(backend, running, 0, 9).await.unwrap()), ["a"]);
    let other = backend.stores.run_logs.request_stop(finished.task, EndUserId(Uuid::new_v4())).await.unwrap();
    assert_eq!(other, StopRequest::OtherOwner);
}

/// Redis may evict any key when its memory is used up.
async fn log_whose_events_were_evicted_goes_on(backend: &TestBackend) {
    if backend.key_prefix.is_empty() {
        return;
    }
    let key = key();
    let long = "x".repeat(MAX_BYTES / 2);
    append(backend, key, RunPhase::Running, &["a", &long]).await;
    if !drop_events(backend, key).await {
        return;
    }
    append(backend, key, RunPhase::Running, &[&long, "b"]).await;
    let page = read(backend, key, 0, 9).await.unwrap();
    assert_eq!((texts(&page), page.first, page.end), (vec![&*long, "b"], 2, 4));
}

fn events_key(backend: &TestBackend, key: RunKey) -> String {
    format!("{}:openapi:run:{{{}}}:events", backend.key_prefix, key.task)
}

/// The time to live of a log's events in milliseconds. `None` without a connection of the test's own.
async fn events_ttl(backend: &TestBackend, key: RunKey) -> Option<i64> {
    let mut redis = direct_connection().await?;
    Some(redis::cmd("PTTL").arg(events_key(backend, key)).query_async(&mut redis).await.unwrap())
}

/// Returns `false` without a connection of the test's own.
async fn drop_events(backend: &TestBackend, key: RunKey) -> bool {
    let Some(mut redis) = direct_connection().await else { return false };
    let dropped: u8 = redis::cmd("DEL").arg(events_key(backend, key)).query_async(&mut redis).await.unwrap();
    assert_eq!(dropped, 1);
    true
}

async fn a_resumed_run_begins_a_segment(backend: &TestBackend) {
    let key = key();
    append(backend, key, RunPhase::Paused, &["a", "b"]).await;
    append(backend, key, RunPhase::Running, &[]).await;
    assert_eq!(read(backend, key, 0, 9).await.unwrap().segment, 0);
    let resumed = LogEntry { begins_segment: true, ..entry(RunPhase::Running, &["c"]) };
    backend.stores.run_logs.append(key, resumed).await.unwrap();
    let page = read(backend, key, 0, 9).await.unwrap();
    assert_eq!((page.segment, page.end, page.phase), (2, 3, RunPhase::Running));
}

async fn stop_reaches_the_run_of_its_owner_only(backend: &TestBackend) {
    let key = key();
    let stop = async |owner| backend.stores.run_logs.request_stop(key.task, owner).await.unwrap();
    assert_eq!(stop(key.owner).await, StopRequest::Unknown);
    assert!(!append(backend, key, RunPhase::Running, &[]).await, "an unknown run is not marked");
    assert_eq!(stop(EndUserId(Uuid::new_v4())).await, StopRequest::OtherOwner);
    assert!(!append(backend, key, RunPhase::Running, &[]).await);
    assert_eq!(stop(key.owner).await, StopRequest::Requested);
    assert!(append(backend, key, RunPhase::Running, &["a"]).await);
    append(backend, key, RunPhase::Finished, &[]).await;
    assert_eq!(stop(key.owner).await, StopRequest::Requested, "also when it has finished");
    // An app without a graph has no run.
    let prompt = RunKey { task: TaskId(Uuid::new_v4()), run: None, ..key };
    append(backend, prompt, RunPhase::Running, &[]).await;
    let stopped = backend.stores.run_logs.request_stop(prompt.task, prompt.owner).await.unwrap();
    assert_eq!(stopped, StopRequest::Requested);
}

async fn a_run_without_appends_is_lost_and_then_forgotten(backend: &TestBackend) {
    let key = key();
    append(backend, key, RunPhase::Running, &["a"]).await;
    backend.advance(LEASE / 2);
    assert!(!read(backend, key, 0, 9).await.unwrap().is_lost);
    append(backend, key, RunPhase::Running, &[]).await;
    backend.advance(LEASE);
    assert!(read(backend, key, 0, 9).await.unwrap().is_lost);
    append(backend, key, RunPhase::Paused, &[]).await;
    backend.advance(LEASE);
    assert!(!read(backend, key, 0, 9).await.unwrap().is_lost, "a paused run has no replica");
    if backend.key_prefix.is_empty() {
        // Redis expires keys by its real clock.
        backend.advance(RETENTION);
        assert_eq!(read(backend, key, 0, 9).await, None);
        append(backend, key, RunPhase::Running, &["b"]).await;
        assert_eq!(texts(&read(backend, key, 0, 9).await.unwrap()), ["b"]);
    }
}

async fn old_events_are_dropped_above_the_limits(backend: &TestBackend) {
    let key = key();
    let many: Vec<String> = (0..MAX_EVENTS + 3).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    append(backend, key, RunPhase::Running, &many).await;
    let page = read(backend, key, 0, 1).await.unwrap();
    assert_eq!((texts(&page), page.first, page.end), (vec!["3"], 3, MAX_EVENTS as u64 + 3));
    let long = "x".repeat(MAX_BYTES / 4);
    for _ in 0..6 {
        append(backend, key, RunPhase::Running, &[&long]).await;
    }
    let page = read(backend, key, 0, 99).await.unwrap();
    assert_eq!((page.events.len(), page.end), (3, MAX_EVENTS as u64 + 9), "four do not fit with what each takes");
}

async fn an_event_above_the_limit_is_left_out(backend: &TestBackend) {
    let key = key();
    append(backend, key, RunPhase::Running, &["a", &"x".repeat(MAX_BYTES), "b"]).await;
    assert_eq!(texts(&read(backend, key, 0, 9).await.unwrap()), ["a", "b"]);
}

async fn concurrent_appends_lose_nothing(backend: &TestBackend) {
    let key = key();
    let appended = count_concurrent(|| {
        let logs = Arc::clone(&backend.stores.run_logs);
        async move { logs.append(key, entry(RunPhase::Running, &["a", "b"])).await.is_ok() }
    })
    .await;
    let page = read(backend, key, 0, 1_000).await.unwrap();
    assert_eq!((page.end, page.events.len()), (2 * appended as u64, 2 * appended));
}
