use prost::Message as _;
use serde_json::{Value, json};

use super::{MAX_BYTES, typed};
use crate::rpc::proto::{self, run_event::Event};

fn read(event: &Value) -> Option<proto::RunEvent> {
    typed(event["event"].as_str().unwrap(), event.to_string().as_bytes())
}

#[test]
fn event_of_a_conversation_has_its_members_and_its_ids() {
    let event = json!({
        "event": "message", "conversation_id": "c", "message_id": "m", "created_at": 1_700_000_000, "task_id": "t",
        "id": "m", "answer": "Hello", "from_variable_selector": null,
    });
    let found = read(&event).unwrap();
    assert_eq!((found.task_id.as_str(), found.conversation_id.as_deref()), ("t", Some("c")));
    assert_eq!((found.message_id.as_deref(), found.workflow_run_id), (Some("m"), None));
    assert_eq!(found.created_at, Some(1_700_000_000));
    let Some(Event::Message(message)) = found.event else { panic!("another event") };
    assert_eq!((message.id.as_str(), message.answer.as_str(), message.from_variable_selector.len()), ("m", "Hello", 0));
}

#[test]
fn event_of_a_graph_has_the_members_of_its_data() {
    let event = json!({
        "event": "node_finished", "task_id": "t", "workflow_run_id": "w",
        "data": {
            "id": "n", "node_id": "llm", "node_type": "llm", "title": null, "index": 2, "outputs": {"text": "x"},
            "status": "succeeded", "elapsed_time": 0.25, "created_at": 5, "finished_at": 6, "extras": {}, "files": [],
        },
    });
    let found = read(&event).unwrap();
    assert_eq!((found.workflow_run_id.as_deref(), found.created_at), (Some("w"), None));
    let Some(Event::NodeFinished(node)) = found.event else { panic!("another event") };
    assert_eq!((node.node_id.as_str(), node.title.as_str(), node.index, node.elapsed_time), ("llm", "", 2, 0.25));
    assert_eq!((node.inputs, node.outputs.unwrap().into_members()["text"].clone()), (None, json!("x")));
}

#[test]
fn body_of_a_blocking_run_is_the_last_event() {
    let body = json!({"workflow_run_id": "w", "task_id": "t", "data": {"id": "w", "status": "failed", "error": "E"}});
    let found = typed("workflow_finished", body.to_string().as_bytes()).unwrap();
    let Some(Event::WorkflowFinished(finished)) = found.event else { panic!("another event") };
    assert_eq!((finished.status.as_str(), finished.error.as_deref()), ("failed", Some("E")));
}

#[test]
fn unknown_large_and_differing_events_are_not_typed() {
    let large = "x".repeat(MAX_BYTES);
    for event in [
        json!({"event": "tts_message", "audio": ""}),
        json!({"event": "message", "answer": large}),
        json!({"event": "message", "answer": 7}),
        json!({"event": "workflow_started", "data": {"inputs": []}}),
    ] {
        assert!(read(&event).is_none(), "{}", event["event"]);
    }
}

#[test]
fn every_event_that_is_declared_is_read() {
    let files = prost_types::FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap().file;
    let mut messages = files.into_iter().flat_map(|file| file.message_type);
    let message = messages.find(|message| message.name() == "RunEvent").unwrap();
    let names: Vec<_> = message
        .field
        .iter()
        .filter(|field| field.number() >= 10)
        .map(prost_types::FieldDescriptorProto::name)
        .collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(read(&json!({"event": name, "data": {}})).is_some(), "{name}");
    }
}
