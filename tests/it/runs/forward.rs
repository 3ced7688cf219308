//! Runs that are forwarded to a fake of Dify's service API.

mod disconnects;
mod fixture;
mod forms;
mod keys;
mod stops;
mod uploads;
mod upstream_errors;

use std::time::Duration;

use dify_openapi::testing::{
    domain::{AppMode, Code, ConversationId, WorkflowId},
    memory::{MemoryKind, MemoryLedger},
    ports::AppRuntime as _,
    runtime::DifySettings,
};
use serde_json::{Value, json};
use uuid::Uuid;

use self::fixture::{Fixture, collect, settings};
use crate::support::fake_dify::{self, FakeDify, TASK_ID, frame, open_events};

fn message(text: &str) -> Value {
    json!({"event": "message", "task_id": TASK_ID, "answer": text})
}

fn message_end() -> Value {
    json!({"event": "message_end", "task_id": TASK_ID, "metadata": {}})
}

fn workflow(event: &str) -> Value {
    json!({"event": event, "task_id": TASK_ID, "data": {}})
}

#[tokio::test]
async fn each_mode_is_forwarded_to_its_path_with_its_members() {
    let upstream = FakeDify::sending(&[message_end(), workflow("workflow_finished")]).await;
    let fixture = Fixture::new(&upstream).await;
    let (conversation, version) = (Uuid::new_v4(), Uuid::new_v4());
    let full = |mode| {
        let mut run = fixture.run(mode);
        run.inputs.insert("name".to_owned(), json!("Ada"));
        run.files = vec![json!({"type": "image"})];
        run.conversation_id = Some(ConversationId(conversation));
        run.workflow_id = Some(WorkflowId(version));
        run.auto_generate_name = false;
        run
    };
    let common = json!({"inputs": {"name": "Ada"}, "files": [{"type": "image"}],
        "response_mode": "streaming", "user": "caller-1"});
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
        let (_, error) = collect(fixture.runtime.start(full(mode)).await.unwrap()).await;
        assert_eq!(error, None);
        let call = upstream.runs().pop().unwrap();
        assert_eq!((call.path, call.body), (path, body), "{mode:?}");
        assert_eq!(vec![call.key], fixture.keys().await);
    }
    let plain = fixture.run(AppMode::Workflow);
    collect(fixture.runtime.start(plain).await.unwrap()).await;
    let call = upstream.runs().pop().unwrap();
    assert_eq!(call.path, "/v1/workflows/run");
    assert_eq!(call.body, json!({"inputs": {}, "response_mode": "streaming", "user": "caller-1"}));
}

#[tokio::test]
async fn events_are_forwarded_unchanged_and_the_stream_ends_at_the_last() {
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
        let upstream = FakeDify::start(move |_| {
            let frames = frames.clone();
            async move { open_events(frames) }
        })
        .await;
        let fixture = Fixture::new(&upstream).await;
        let mut stream = fixture.runtime.start(fixture.run(mode)).await.unwrap();
        let mut received = Vec::new();
        let all = async {
            while let Some(event) = stream.next().await {
                received.push(String::from_utf8(event.unwrap().json.to_vec()).unwrap());
            }
        };
        // The upstream never closes the stream itself.
        tokio::time::timeout(Duration::from_secs(3), all).await.unwrap();
        assert_eq!(received, expected, "{mode:?}");
        assert!(upstream.received_no_stop().await, "{mode:?}");
    }
}

#[tokio::test]
async fn run_starts_at_the_first_byte() {
    let upstream = FakeDify::start(|_| async { open_events(vec!["event: ping\n\n".to_owned()]) }).await;
    let fixture = Fixture::new(&upstream).await;
    let begun = fixture.runtime.start(fixture.run(AppMode::Chat));
    tokio::time::timeout(Duration::from_secs(3), begun).await.unwrap().unwrap();
}

#[tokio::test]
async fn ten_thousand_events_are_forwarded_in_order() {
    let events: Vec<Value> = (0..10_000).map(|n| message(&n.to_string())).chain([message_end()]).collect();
    let upstream = FakeDify::sending(&events).await;
    let fixture = Fixture::new(&upstream).await;
    let (received, error) = collect(fixture.runtime.start(fixture.run(AppMode::Chat)).await.unwrap()).await;
    assert_eq!(error, None);
    assert!(received == events, "{} of {} events", received.len(), events.len());
}

#[tokio::test]
async fn event_of_ten_megabytes_is_forwarded() {
    let long = message(&"x".repeat(10 << 20));
    let upstream = FakeDify::sending(&[long.clone(), message_end()]).await;
    let fixture = Fixture::new(&upstream).await;
    let (received, error) = collect(fixture.runtime.start(fixture.run(AppMode::Chat)).await.unwrap()).await;
    assert_eq!(error, None);
    assert!(received == [long, message_end()]);
}

#[tokio::test]
async fn long_events_of_a_workspace_stay_within_its_share_of_the_memory() {
    let long = message(&"x".repeat(4 << 20));
    let upstream = FakeDify::sending(&[long.clone(), message_end()]).await;
    let memory = MemoryLedger::with_limits(|_| 18 << 20);
    let fixture = Fixture::with_settings(DifySettings { memory: memory.clone(), ..settings(&upstream.url) }).await;
    // Its event is complete and unread.
    let first = fixture.runtime.start(fixture.run(AppMode::Chat)).await.unwrap();
    assert!(memory.used(MemoryKind::Runs) >= 8 << 20, "{}", memory.used(MemoryKind::Runs));
    let second = fixture.runtime.start(fixture.run(AppMode::Chat)).await;
    assert_eq!(second.err().map(|error| error.code()), Some(Code::RateLimited));
    let (received, error) = collect(first).await;
    assert_eq!((received, error), (vec![long, message_end()], None));
    fixture.tasks.close();
    fixture.tasks.wait().await;
    assert_eq!(memory.used(MemoryKind::Runs), 0);
}

#[tokio::test]
async fn upstream_connections_are_reused() {
    let upstream = FakeDify::sending(&[message("a"), message_end()]).await;
    let fixture = Fixture::new(&upstream).await;
    for _ in 0..20 {
        let (received, error) = collect(fixture.runtime.start(fixture.run(AppMode::Chat)).await.unwrap()).await;
        assert_eq!((received.len(), error), (2, None));
    }
    fixture.tasks.close();
    fixture.tasks.wait().await;
    assert_eq!(upstream.runs().len(), 20);
    assert!(upstream.connections() < 20, "{}", upstream.connections());
}
