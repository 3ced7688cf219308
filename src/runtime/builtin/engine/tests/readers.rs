//! Readers that are slow, disconnect, or never read.

use std::{sync::atomic::Ordering, time::Duration};

use serde_json::json;
use tokio::time::timeout;

use super::run_setup::{RunSetup, llm, node};
use crate::{
    domain::conversation::RunStatus, memory::MemoryLedger, ports::runtime, runtime::builtin::engine::run::run_graph,
};

fn chat(model: &str) -> RunSetup {
    let nodes = [
        node("start", "start", json!({})),
        llm("a", model, "one two", json!({})),
        node("answer", "answer", json!({"answer": "{{#a.text#}}"})),
    ];
    RunSetup::chat(nodes, "start>a a>answer")
}

#[tokio::test]
async fn every_model_chunk_becomes_one_message_event() {
    let run = chat("many").execute().await;
    assert_eq!(run.events.iter().filter(|event| event["event"] == "message").count(), 10_000);
    assert_eq!(run.outcome.answer, "x".repeat(10_000));
}

#[tokio::test]
async fn disconnected_reader_stops_the_run() {
    let setup = chat("hangs");
    let dropped = setup.models.dropped_streams.clone();
    let execution = setup.execution();
    let (sender, mut receiver) = runtime::events(64, &MemoryLedger::unlimited());
    let run = tokio::spawn(async move { run_graph(&execution, &sender).await });
    while let Some(Ok(event)) = receiver.next().await {
        if event.event == "message" {
            break;
        }
    }
    drop(receiver);
    let outcome = timeout(Duration::from_secs(5), run).await.unwrap().unwrap();
    assert_eq!(outcome.status, RunStatus::Stopped);
    assert!(outcome.answer.starts_with("one "), "the text so far is kept: {:?}", outcome.answer);
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "the call of the model is dropped");
}

#[tokio::test]
async fn run_without_a_reader_stops_before_the_model_is_called() {
    let setup = chat("words");
    let execution = setup.execution();
    let (sender, receiver) = runtime::events(64, &MemoryLedger::unlimited());
    drop(receiver);
    assert_eq!(run_graph(&execution, &sender).await.status, RunStatus::Stopped);
    assert!(setup.models.prompts.lock().is_empty());
}

#[tokio::test]
async fn slow_reader_slows_down_the_model() {
    let setup = chat("many");
    let models = setup.models.clone();
    let execution = setup.execution();
    let (sender, mut receiver) = runtime::events(4, &MemoryLedger::unlimited());
    let run = tokio::spawn(async move { run_graph(&execution, &sender).await });
    while models.sent_chunks.load(Ordering::Relaxed) == 0 {
        receiver.next().await.unwrap().unwrap();
    }
    // Wait until the channels are full and the model no longer sends.
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let sent = models.sent_chunks.load(Ordering::Relaxed);
        if sent == before {
            break;
        }
        before = sent;
    }
    assert!(before < 100, "{before}");
    let mut events = 0;
    while receiver.next().await.is_some() {
        events += 1;
    }
    assert!(events >= 9_900);
    assert_eq!(run.await.unwrap().status, RunStatus::Succeeded);
}

#[tokio::test]
async fn run_timeout_applies_while_the_reader_does_not_read() {
    let setup = chat("many").limits(|limits| {
        limits.run_timeout = Duration::from_millis(50);
        limits.last_events_timeout = Duration::from_millis(50);
    });
    let execution = setup.execution();
    let (sender, receiver) = runtime::events(4, &MemoryLedger::unlimited());
    let outcome = timeout(Duration::from_secs(30), run_graph(&execution, &sender)).await.unwrap();
    assert_eq!(outcome.status, RunStatus::Failed);
    drop(receiver);
}
