//! Who reads the events: slowly, not to the end, or not at all.

use std::{sync::atomic::Ordering, time::Duration};

use serde_json::json;
use tokio::time::timeout;

use super::stage::{Stage, llm, node};
use crate::{domain::conversation::RunStatus, ports::runtime, runtime::builtin::engine::run::run_graph};

fn chat(model: &str) -> Stage {
    let nodes = [
        node("start", "start", json!({})),
        llm("a", model, "one two", json!({})),
        node("answer", "answer", json!({"answer": "{{#a.text#}}"})),
    ];
    Stage::chat(nodes, "start>a a>answer")
}

#[tokio::test]
async fn ten_thousand_pieces_are_said_one_by_one() {
    let played = chat("many").play().await;
    assert_eq!(played.events.iter().filter(|event| event["event"] == "message").count(), 10_000);
    assert_eq!(played.outcome.answer, "x".repeat(10_000));
}

#[tokio::test]
async fn a_reader_that_leaves_stops_the_run() {
    let stage = chat("hangs");
    let dropped = stage.models.dropped.clone();
    let execution = stage.execution();
    let (sender, mut receiver) = runtime::events(64);
    let run = tokio::spawn(async move { run_graph(&execution, &sender).await });
    while let Some(Ok(event)) = receiver.next().await {
        if event.event == "message" {
            break;
        }
    }
    drop(receiver);
    let outcome = timeout(Duration::from_secs(5), run).await.unwrap().unwrap();
    assert_eq!(outcome.status, RunStatus::Stopped);
    assert!(outcome.answer.starts_with("one "), "what was said is kept: {:?}", outcome.answer);
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "the model is hung up on");
}

#[tokio::test]
async fn a_run_nobody_ever_read_stops_at_once() {
    let stage = chat("words");
    let execution = stage.execution();
    let (sender, receiver) = runtime::events(64);
    drop(receiver);
    assert_eq!(run_graph(&execution, &sender).await.status, RunStatus::Stopped);
    assert!(stage.models.asked.lock().is_empty());
}

#[tokio::test]
async fn a_slow_reader_holds_back_the_model() {
    let stage = chat("many");
    let models = stage.models.clone();
    let execution = stage.execution();
    let (sender, mut receiver) = runtime::events(4);
    let run = tokio::spawn(async move { run_graph(&execution, &sender).await });
    while models.said.load(Ordering::Relaxed) == 0 {
        receiver.next().await.unwrap().unwrap();
    }
    // Until nothing moves any more: the model is as far ahead as the channels are long.
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let said = models.said.load(Ordering::Relaxed);
        if said == before {
            break;
        }
        before = said;
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
async fn a_reader_that_stands_still_does_not_outlast_the_run() {
    let stage = chat("many").limits(|limits| {
        limits.run_timeout = Duration::from_millis(50);
        limits.last_events_timeout = Duration::from_millis(50);
    });
    let execution = stage.execution();
    let (sender, receiver) = runtime::events(4);
    let outcome = timeout(Duration::from_secs(30), run_graph(&execution, &sender)).await.unwrap();
    assert_eq!(outcome.status, RunStatus::Failed);
    drop(receiver);
}
