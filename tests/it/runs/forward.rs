//! Runs forwarded to Dify's service API, against a stand-in for it that fails in every way it can.

mod bench;
mod faults;
mod keys;
mod leaving;

use std::time::Duration;

use dify_openapi::testing::{
    domain::{
        app::AppMode,
        id::{ConversationId, WorkflowId},
    },
    ports::runtime::AppRuntime as _,
};
use serde_json::{Value, json};
use uuid::Uuid;

use self::bench::{Bench, collect};
use crate::support::stand_in::{self, StandIn, TASK, frame, open_events};

fn message(text: &str) -> Value {
    json!({"event": "message", "task_id": TASK, "answer": text})
}

fn message_end() -> Value {
    json!({"event": "message_end", "task_id": TASK, "metadata": {}})
}

fn workflow(event: &str) -> Value {
    json!({"event": event, "task_id": TASK, "data": {}})
}

#[tokio::test]
async fn every_mode_is_asked_at_its_path_with_what_it_takes() {
    let upstream = StandIn::telling(&[message_end(), workflow("workflow_finished")]).await;
    let bench = Bench::before(&upstream).await;
    let (conversation, version) = (Uuid::new_v4(), Uuid::new_v4());
    let full = |mode| {
        let mut run = bench.run(mode);
        run.inputs.insert("name".to_owned(), json!("Ada"));
        run.files = vec![json!({"type": "image"})];
        run.conversation_id = Some(ConversationId(conversation));
        run.workflow_id = Some(WorkflowId(version));
        run.auto_generate_name = false;
        run
    };
    let common = json!({"inputs": {"name": "Ada"}, "files": [{"type": "image"}], "response_mode": "streaming", "user": "caller-1"});
    let with = |members: Value| {
        let mut body = common.clone();
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        body
    };
    let chat = json!({"query": "Hello", "conversation_id": conversation, "auto_generate_name": false});
    let mut advanced = chat.clone();
    advanced["workflow_id"] = json!(version);
    for (mode, path, body) in [
        (AppMode::Chat, "/v1/chat-messages".to_owned(), with(chat.clone())),
        (AppMode::AgentChat, "/v1/chat-messages".to_owned(), with(chat)),
        (AppMode::AdvancedChat, "/v1/chat-messages".to_owned(), with(advanced)),
        (AppMode::Completion, "/v1/completion-messages".to_owned(), with(json!({"query": "Hello"}))),
        (AppMode::Workflow, format!("/v1/workflows/{version}/run"), common.clone()),
    ] {
        let (_, error) = collect(bench.runtime.start(full(mode)).await.unwrap()).await;
        assert_eq!(error, None);
        let call = upstream.runs().pop().unwrap();
        assert_eq!((call.path, call.body), (path, body), "{mode:?}");
        assert_eq!(vec![call.key], bench.keys().await);
    }
    let plain = bench.run(AppMode::Workflow);
    collect(bench.runtime.start(plain).await.unwrap()).await;
    let call = upstream.runs().pop().unwrap();
    assert_eq!(call.path, "/v1/workflows/run");
    assert_eq!(call.body, json!({"inputs": {}, "response_mode": "streaming", "user": "caller-1"}));
}

#[tokio::test]
async fn events_pass_byte_for_byte_and_the_stream_closes_at_the_last() {
    const ODD: &str = r#"{"event": "message",  "n":1.0, "answer":"\u00e4 \"\\" , "z":null,"task_id":"t"}"#;
    for (mode, last) in [
        (AppMode::Chat, vec![message_end()]),
        (AppMode::AgentChat, vec![message_end()]),
        (AppMode::Completion, vec![message_end()]),
        (AppMode::Workflow, vec![workflow("workflow_finished")]),
        (AppMode::AdvancedChat, vec![message_end(), workflow("workflow_finished")]),
        (AppMode::AdvancedChat, vec![workflow("workflow_finished"), message_end()]),
    ] {
        let expected: Vec<String> = std::iter::once(ODD.to_owned()).chain(last.iter().map(Value::to_string)).collect();
        let mut frames = vec!["event: ping\n\n".to_owned(), format!("data: {ODD}\n\nevent: ping\n\n")];
        frames.extend(last.iter().map(frame));
        let upstream = StandIn::start(move |_| {
            let frames = frames.clone();
            async move { open_events(frames) }
        })
        .await;
        let bench = Bench::before(&upstream).await;
        let mut stream = bench.runtime.start(bench.run(mode)).await.unwrap();
        let mut seen = Vec::new();
        let all = async {
            while let Some(event) = stream.next().await {
                seen.push(String::from_utf8(event.unwrap().json.to_vec()).unwrap());
            }
        };
        // The upstream itself stays open for good.
        tokio::time::timeout(Duration::from_secs(3), all).await.unwrap();
        assert_eq!(seen, expected, "{mode:?}");
        assert!(upstream.stopped_nothing().await, "{mode:?}");
    }
}

#[tokio::test]
async fn a_run_begins_with_the_first_byte_and_not_with_the_first_event() {
    let upstream = StandIn::start(|_| async { open_events(vec!["event: ping\n\n".to_owned()]) }).await;
    let bench = Bench::before(&upstream).await;
    let begun = bench.runtime.start(bench.run(AppMode::Chat));
    tokio::time::timeout(Duration::from_secs(3), begun).await.unwrap().unwrap();
}

#[tokio::test]
async fn ten_thousand_tiny_events_come_in_order() {
    let events: Vec<Value> = (0..10_000).map(|n| message(&n.to_string())).chain([message_end()]).collect();
    let upstream = StandIn::telling(&events).await;
    let bench = Bench::before(&upstream).await;
    let (seen, error) = collect(bench.runtime.start(bench.run(AppMode::Chat)).await.unwrap()).await;
    assert_eq!(error, None);
    assert!(seen == events, "{} of {} events", seen.len(), events.len());
}

#[tokio::test]
async fn an_answer_of_ten_megabytes_passes_in_one_event() {
    let long = message(&"x".repeat(10 << 20));
    let upstream = StandIn::telling(&[long.clone(), message_end()]).await;
    let bench = Bench::before(&upstream).await;
    let (seen, error) = collect(bench.runtime.start(bench.run(AppMode::Chat)).await.unwrap()).await;
    assert_eq!(error, None);
    assert!(seen == [long, message_end()]);
}

#[tokio::test]
async fn connections_are_reused() {
    let upstream = StandIn::telling(&[message("a"), message_end()]).await;
    let bench = Bench::before(&upstream).await;
    for _ in 0..20 {
        let (seen, error) = collect(bench.runtime.start(bench.run(AppMode::Chat)).await.unwrap()).await;
        assert_eq!((seen.len(), error), (2, None));
    }
    bench.tasks.close();
    bench.tasks.wait().await;
    assert_eq!(upstream.runs().len(), 20);
    assert!(upstream.connections() < 20, "{}", upstream.connections());
}
