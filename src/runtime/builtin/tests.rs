//! Runs from the request to the stored rows.

mod endings;
mod files;
mod slow_readers;
mod test_runtime;
mod tokens;
mod types;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde_json::{Map, json};
use uuid::Uuid;

use self::test_runtime::{
    LONG, TestRuntime, answer_text, conversation_id_of, event_names, graph_request, prompt_request,
};
use super::{app_runtime::BUSY_RETRY_AFTER, run_limits::RunLimits};
use crate::{
    domain::{
        Code,
        app::{AppMode, Definition},
        id::{AppId, ConversationId, WorkflowId, WorkspaceId},
    },
    memory::MemoryLedger,
    ports::runtime::{AppRuntime, RunRequest},
};

#[tokio::test]
async fn chat_is_stored_before_message_end_and_can_continue() {
    let test = TestRuntime::new().await;
    let mut stream = test.runtime.start(prompt_request(AppMode::Chat, "Reply exactly: one two")).await.unwrap();
    let mut events: Vec<serde_json::Value> = Vec::new();
    while let Some(event) = stream.next().await {
        let event: serde_json::Value = serde_json::from_slice(&event.unwrap().json).unwrap();
        let stored = test.count("messages WHERE answer = 'one two' AND status = 'normal'").await;
        assert!(event["event"] != "message_end" || stored == 1, "message_end is sent before the message is stored");
        events.push(event);
    }
    assert_eq!(event_names(&events), ["message", "message", "message_end"]);
    let usage = &events[2]["metadata"]["usage"];
    // The prompt consists of instructions and the query. The opening statement is not a part of it.
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(8), &json!(2)));

    let second =
        RunRequest { conversation_id: conversation_id_of(&events), ..prompt_request(AppMode::Chat, "And now?") };
    let more = test.run(second).await;
    assert_eq!(conversation_id_of(&more), conversation_id_of(&events));
    let messages = test.models.prompts.lock().last().unwrap().messages.clone();
    let lines: Vec<&str> = messages.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(lines, ["You help Ann, .\n", "Reply exactly: one two", "one two", "And now?"]);
    assert_eq!(test.count("conversations WHERE dialogue_count = 2 AND name = 'Reply exactly: one two'").await, 1);
    assert_eq!(test.count("conversations WHERE introduction = 'Hi Ann!' AND app_model_config_id IS NOT NULL").await, 1);
    assert_eq!(test.count("messages WHERE invoke_from = 'service-api' AND model_id = 'echo'").await, 2);
    assert_eq!((test.count("end_users").await, test.count("workflow_runs").await), (1, 0));
}

#[tokio::test]
async fn conversation_of_another_user_or_app_is_not_found() {
    let test = TestRuntime::new().await;
    for (first, again) in [
        (prompt_request(AppMode::Chat, "Hi"), prompt_request(AppMode::Chat, "Hi") as RunRequest),
        (graph_request(AppMode::AdvancedChat, "Hi"), graph_request(AppMode::AdvancedChat, "Hi")),
    ] {
        let conversation_id = conversation_id_of(&test.run(first).await);
        let again = || RunRequest { conversation_id, ..again.clone() };
        let mut other_app = again();
        other_app.app.id = AppId(Uuid::from_u128(3));
        let mut other_workspace = again();
        other_workspace.app.workspace_id = WorkspaceId(Uuid::from_u128(9));
        let unknown = Some(ConversationId(Uuid::new_v4()));
        let foreign = [
            RunRequest { user: "bob".to_owned(), ..again() },
            RunRequest { conversation_id: unknown, ..again() },
            other_app,
            other_workspace,
        ];
        for run in foreign {
            assert_eq!(test.runtime.start(run).await.unwrap_err().code(), Code::NotFound);
        }
        test.run(again()).await;
    }
    test.wait_for_all_runs().await;
    assert_eq!(test.count("messages").await, 4);
}

#[tokio::test]
async fn completion_and_agent_chat_are_stored_with_their_mode() {
    let test = TestRuntime::new().await;
    let completed = test.run(prompt_request(AppMode::Completion, "")).await;
    assert_eq!(event_names(&completed).last(), Some(&"message_end"));
    assert!(completed.iter().all(|event| event.get("conversation_id").is_none()));
    let agent = test.run(prompt_request(AppMode::AgentChat, "Reply exactly: yes")).await;
    assert_eq!(event_names(&agent), ["agent_thought", "agent_message", "agent_thought", "message_end"]);
    assert_eq!(test.count("conversations WHERE mode = 'completion' AND name = 'New conversation'").await, 1);
    assert_eq!(test.count("messages WHERE app_mode = 'agent-chat' AND agent_based = true AND answer = 'yes'").await, 1);
    assert_eq!(test.count("messages WHERE app_mode = 'completion' AND query = ''").await, 1);
}

#[tokio::test]
async fn advanced_chat_keeps_conversation_variables_and_dialogue_count() {
    let test = TestRuntime::new().await;
    let first = test.run(graph_request(AppMode::AdvancedChat, "Reply exactly: a b")).await;
    let names = event_names(&first);
    assert_eq!((names[0], &names[names.len() - 2..]), ("workflow_started", &["message_end", "workflow_finished"][..]));
    assert_eq!(answer_text(&first), "1 calm a b");
    let second =
        RunRequest { conversation_id: conversation_id_of(&first), ..graph_request(AppMode::AdvancedChat, "Hi") };
    assert_eq!(answer_text(&test.run(second).await), "2 calm You said: Hi");
    assert_eq!(test.count("workflow_runs WHERE type = 'chat' AND status = 'succeeded' AND total_steps = 3").await, 2);
    assert_eq!(test.count("messages JOIN workflow_runs ON workflow_runs.id = messages.workflow_run_id").await, 2);
    assert_eq!(test.count("conversations WHERE introduction = 'Hi Ann' AND dialogue_count = 2").await, 1);
    assert_eq!(test.count("openapi_conversation_variables WHERE variables = '{\"mood\":\"calm\"}'").await, 1);
    assert_eq!(
        test.count("workflow_runs WHERE inputs LIKE '%\"sys.query\":\"Hi\"%' AND graph LIKE '%nodes%'").await,
        1
    );
    assert_eq!(test.count("workflow_runs WHERE inputs LIKE '%\"sys.timestamp\":%'").await, 2);
}

#[tokio::test]
async fn workflow_run_is_stored_with_outputs_or_error() {
    let test = TestRuntime::new().await;
    let events = test.run(graph_request(AppMode::Workflow, "Reply exactly: done")).await;
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["data"]["outputs"]), (&json!("workflow_finished"), &json!({"said": "done"})));
    test.run(graph_request(AppMode::Workflow, "refuse")).await;
    assert_eq!(test.count("workflow_runs WHERE status = 'succeeded' AND outputs = '{\"said\":\"done\"}'").await, 1);
    assert_eq!(test.count("workflow_runs WHERE status = 'failed' AND error = 'The model broke: at line 1'").await, 1);
    assert_eq!((test.count("conversations").await, test.count("messages").await), (0, 0));
}

#[tokio::test]
async fn model_error_before_the_first_text_is_an_error_and_later_an_event() {
    let test = TestRuntime::new().await;
    let mut stream = test.runtime.start(prompt_request(AppMode::Chat, "refuse")).await.unwrap();
    let refusal = stream.next().await.unwrap().unwrap_err();
    assert_eq!((refusal.code(), refusal.message()), (Code::UpstreamError, "The model broke."));
    assert_eq!(std::error::Error::source(&refusal).unwrap().to_string(), "The model broke: at line 1");
    assert!(stream.next().await.is_none());
    let events = test.run(prompt_request(AppMode::Chat, "break")).await;
    assert_eq!(event_names(&events), ["message", "error"]);
    assert_eq!(events[1]["code"], "completion_request_error");
    assert_eq!(events[1]["message"], "The model broke: at line 1");
    assert_eq!(test.count("messages WHERE status = 'error' AND error = 'The model broke: at line 1'").await, 2);
    assert_eq!(test.count("messages WHERE status = 'error' AND answer = 'word '").await, 1);
}

#[tokio::test]
async fn number_of_concurrent_runs_is_limited() {
    let test = TestRuntime::with(RunLimits::default(), 2).await;
    let first = test.runtime.start(prompt_request(AppMode::Chat, "hang")).await.unwrap();
    let _second = test.runtime.start(prompt_request(AppMode::Chat, "hang")).await.unwrap();
    let refusal = test.runtime.start(prompt_request(AppMode::Chat, "Hi")).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.retry_after()), (Code::RateLimited, Some(BUSY_RETRY_AFTER)));
    drop(first);
    let freed = async {
        while test.runtime.start(prompt_request(AppMode::Chat, "Hi")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), freed).await.expect("a run can start again");
}

#[tokio::test]
async fn memory_of_all_runs_is_limited() {
    let memory = MemoryLedger::with_limits(|_| 3 << 20);
    let test = TestRuntime::within(&memory, RunLimits::default(), 100).await;
    let long = |bytes: usize, workspace: u128| {
        let query = format!("hang{}", "x".repeat(bytes));
        let mut run = RunRequest { query: Some(query), ..prompt_request(AppMode::Chat, "") };
        run.app.workspace_id = WorkspaceId(Uuid::from_u128(workspace));
        run
    };
    let start = async |bytes, workspace| test.runtime.start(long(bytes, workspace)).await;
    let code = |result: crate::domain::Result<_>| result.err().map(|error| error.code());
    assert_eq!(code(start(1 << 20, 1).await), Some(Code::RequestEntityTooLarge), "no server state admits it");
    // The rejected run does not keep its memory.
    let first = start(200 << 10, 1).await.unwrap();
    assert_eq!(code(start(200 << 10, 1).await), Some(Code::RateLimited), "the workspace leaves memory to others");
    let _second = start(200 << 10, 2).await.unwrap();
    let refusal = start(200 << 10, 3).await.unwrap_err();
    assert_eq!(refusal.code(), Code::ServiceUnavailable);
    assert!(refusal.retry_after().is_some());
    drop(first);
    let freed = async {
        while start(200 << 10, 3).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), freed).await.expect("a run can start again");
}

#[tokio::test]
async fn runs_of_one_app_leave_places_to_others() {
    let test = TestRuntime::with(RunLimits::default(), 12).await;
    let mut hanging = Vec::new();
    let refusal = loop {
        match test.runtime.start(prompt_request(AppMode::Chat, "hang")).await {
            Ok(stream) => hanging.push(stream),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!((hanging.len(), refusal.code()), (8, Code::RateLimited));
    let mut other = prompt_request(AppMode::Chat, "hang");
    (other.app.id, other.app.workspace_id) = (AppId(Uuid::from_u128(5)), WorkspaceId(Uuid::from_u128(6)));
    test.runtime.start(other).await.unwrap();
}

#[tokio::test]
async fn mode_that_does_not_match_the_definition_is_app_unavailable() {
    let test = TestRuntime::new().await;
    let mut run = graph_request(AppMode::AdvancedChat, "Hi");
    run.app.mode = AppMode::Chat;
    assert_eq!(test.runtime.start(run).await.unwrap_err().code(), Code::AppUnavailable);
    let mut run = prompt_request(AppMode::Chat, "Hi");
    run.app.mode = AppMode::Workflow;
    assert_eq!(test.runtime.start(run).await.unwrap_err().code(), Code::AppUnavailable);
    let mut moderated = graph_request(AppMode::AdvancedChat, "Hi");
    let Definition::Workflow(workflow) = &mut moderated.definition else { unreachable!() };
    workflow.features = json!({"sensitive_word_avoidance": {"enabled": true, "type": "keywords"}});
    assert_eq!(test.runtime.start(moderated).await.unwrap_err().code(), Code::AppUnavailable);
    test.wait_for_all_runs().await;
    assert_eq!(test.count("end_users").await, 0);
}

#[tokio::test]
async fn concurrent_first_runs_of_one_caller_create_one_end_user() {
    let test = Arc::new(TestRuntime::new().await);
    let runs = (0..40).map(|n| {
        let test = Arc::clone(&test);
        let run =
            if n % 2 == 0 { prompt_request(AppMode::Chat, "Hi") } else { graph_request(AppMode::AdvancedChat, "Hi") };
        tokio::spawn(async move { test.run(run).await })
    });
    for run in runs.collect::<Vec<_>>() {
        run.await.unwrap();
    }
    assert_eq!((test.count("end_users").await, test.count("conversations").await), (1, 40));
}
