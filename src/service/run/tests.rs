use serde_json::json;

use super::{collect::Collector, *};
use crate::ports::runtime::RunEvent;

fn event(value: &Value) -> RunEvent {
    RunEvent { event: value["event"].as_str().unwrap().to_owned().into(), json: value.to_string().into() }
}

fn collected(mode: AppMode, events: &[Value]) -> Result<Option<Value>> {
    let mut collector = Collector::new(mode);
    for value in events {
        if let Some(body) = collector.add(&event(value))? {
            return Ok(Some(body));
        }
    }
    Ok(None)
}

fn message(name: &str, answer: &str) -> Value {
    json!({
        "event": name, "task_id": "t", "id": "m", "message_id": "m", "conversation_id": "c", "created_at": 7,
        "answer": answer,
    })
}

fn message_end() -> Value {
    json!({"event": "message_end", "task_id": "t", "id": "m", "message_id": "m", "conversation_id": "c",
        "metadata": {"usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}})
}

#[test]
fn chat_body_has_all_chunks_of_the_answer() {
    let body = collected(
        AppMode::Chat,
        &[message("message", "Hel"), json!({"event": "ping"}), message("message", "lo"), message_end()],
    );
    insta::assert_json_snapshot!(body.unwrap().unwrap(), @r#"
    {
      "event": "message",
      "task_id": "t",
      "id": "m",
      "message_id": "m",
      "conversation_id": "c",
      "mode": "chat",
      "answer": "Hello",
      "metadata": {
        "usage": {
          "prompt_tokens": 1,
          "completion_tokens": 2,
          "total_tokens": 3
        },
        "retriever_resources": []
      },
      "created_at": 7
    }
    "#);
}

#[test]
fn agent_messages_are_collected_and_completions_have_no_conversation() {
    let agent = collected(AppMode::AgentChat, &[message("agent_message", "Hi"), message_end()]).unwrap().unwrap();
    assert_eq!((&agent["answer"], &agent["mode"]), (&json!("Hi"), &json!("agent-chat")));
    let completion = collected(AppMode::Completion, &[message("message", "Hi"), message_end()]).unwrap().unwrap();
    assert_eq!(completion.get("conversation_id"), None);
}

#[test]
fn replaced_message_is_the_answer() {
    let events = [message("message", "secret"), message("message_replace", "***"), message_end()];
    assert_eq!(collected(AppMode::Chat, &events).unwrap().unwrap()["answer"], "***");
}

#[test]
fn workflow_body_reports_success_and_failure() {
    let finished = json!({"event": "workflow_finished", "task_id": "t", "workflow_run_id": "r", "data": {
        "finished_at": 9, "id": "r", "workflow_id": "w", "status": "failed", "outputs": null, "error": "no",
        "elapsed_time": 0.5,
        "total_tokens": 0, "total_steps": 2, "created_at": 8, "created_by": {"id": "x"}, "files": []}});
    let started = json!({"event": "workflow_started", "task_id": "t", "workflow_run_id": "r"});
    insta::assert_json_snapshot!(collected(AppMode::Workflow, &[started, finished]).unwrap().unwrap(), @r#"
    {
      "workflow_run_id": "r",
      "task_id": "t",
      "mode": "workflow",
      "data": {
        "id": "r",
        "workflow_id": "w",
        "status": "failed",
        "outputs": {},
        "error": "no",
        "elapsed_time": 0.5,
        "total_tokens": 0,
        "total_steps": 2,
        "created_at": 8,
        "finished_at": 9
      }
    }
    "#);
}

#[test]
fn failed_run_is_an_error() {
    let failed = json!({"event": "workflow_finished", "data": {"status": "failed", "error": "node x broke"}});
    let error = collected(AppMode::AdvancedChat, &[message("message", "so far"), failed]).unwrap_err();
    let error_text = |error: &Error| {
        (error.code(), error.message().to_owned(), std::error::Error::source(error).unwrap().to_string())
    };
    let expected = |why: &str| (Code::UpstreamError, "The app's run failed.".to_owned(), why.to_owned());
    assert_eq!(error_text(&error), expected("node x broke"));
    let end_first =
        [message_end(), json!({"event": "workflow_finished", "data": {"status": "failed", "error": "node x broke"}})];
    assert_eq!(collected(AppMode::AdvancedChat, &end_first).unwrap_err().code(), Code::UpstreamError);
    let event = json!({"event": "error", "status": 400, "code": "completion_request_error", "message": "quota"});
    assert_eq!(error_text(&collected(AppMode::Chat, &[event]).unwrap_err()), expected("quota"));
    let ours = json!({"event": "error", "status": 429, "code": "rate_limited", "message": "later"});
    let error = collected(AppMode::Workflow, &[ours]).unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::RateLimited, "later"));
    let garbage = RunEvent { event: "message".into(), json: "[]".into() };
    assert_eq!(Collector::new(AppMode::Chat).add(&garbage).unwrap_err().code(), Code::UpstreamError);
}

#[test]
fn graph_body_needs_message_end_and_workflow_finished_in_any_order() {
    let finished = json!({"event": "workflow_finished", "data": {"status": "succeeded"}});
    for events in [[finished.clone(), message_end()], [message_end(), finished]] {
        let all: Vec<Value> = std::iter::once(message("message", "Hi")).chain(events).collect();
        assert_eq!(collected(AppMode::AdvancedChat, &all[..2]).unwrap(), None);
        assert_eq!(collected(AppMode::AdvancedChat, &all).unwrap().unwrap()["answer"], "Hi");
    }
}

#[test]
fn query_is_required_for_chats_and_rejected_for_workflows() {
    for mode in AppMode::ALL.iter().copied() {
        let code = |query| check_query(mode, query).err().map(|error| error.code());
        let needs = mode.is_chat().then_some(Code::QueryRequiredForChat);
        assert_eq!(
            (code(None), code(Some(" "))),
            match mode {
                AppMode::Workflow => (None, Some(Code::QueryNotSupportedForWorkflow)),
                _ => (needs, needs),
            }
        );
        assert_eq!(code(Some("hi")), (mode == AppMode::Workflow).then_some(Code::QueryNotSupportedForWorkflow));
    }
}

#[test]
fn subject_has_the_same_opaque_name_in_every_app() {
    let id = crate::domain::id::AccountId(uuid::Uuid::from_u128(7));
    let account = |email: &str| Subject::Account { id, email: email.to_owned() };
    assert_eq!(user_name(&account("a@example.com")), user_name(&account("b@example.com")));
    assert!(!user_name(&account("a@example.com")).contains(&id.to_string()));
    let sso = |email: &str, issuer: &str| Subject::ExternalSso { email: email.to_owned(), issuer: issuer.to_owned() };
    assert_eq!(user_name(&sso("A@example.com", "i")), user_name(&sso("a@example.com", "i")));
    assert_ne!(user_name(&sso("a@example.com", "i")), user_name(&sso("a@example.com", "j")));
}
