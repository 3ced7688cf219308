//! Prompt apps with scripted models: their events, and the apps that are rejected.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub(in super::super) use super::prompt::tests::config;
use super::*;
use crate::{
    domain::{
        Code,
        app::AppMode,
        id::{AgentThoughtId, ConversationId, MessageId, TaskId},
    },
    memory::{MemoryLedger, Owner},
    ports::runtime::{self, EVENTS_AHEAD},
    runtime::builtin::{events::message::MessageMetadata, model::stream::ModelStream, run_images::RunImages},
};

/// Answers once with these chunks.
struct ScriptedModel(Mutex<Option<Vec<Result<ModelChunk, ModelError>>>>);

#[async_trait]
impl Models for ScriptedModel {
    async fn stream(&self, _: Prompt) -> Result<ModelStream, ModelError> {
        match self.0.lock().take() {
            Some(chunks) => Ok(stream::iter(chunks).boxed()),
            None => Err(failing("no such model")),
        }
    }
}

fn failing(message: &str) -> ModelError {
    ModelError::new(message)
}

#[expect(clippy::unnecessary_wraps, reason = "a piece of a stream that may fail")]
fn text(text: &str) -> Result<ModelChunk, ModelError> {
    Ok(ModelChunk::Text(text.to_owned()))
}

fn run_input(mode: AppMode, query: &str) -> RunInput {
    RunInput {
        mode,
        inputs: Map::from_iter([("name".to_owned(), json!("Ann"))]),
        form: vec!["name".to_owned(), "age".to_owned()],
        query: Some(query.to_owned()).filter(|query| !query.is_empty()),
        files: Vec::new(),
        images: Arc::new(RunImages::new(Vec::new(), [Owner::of(&1), Owner::of(&2)])),
        auto_generate_name: true,
    }
}

struct FinishedPromptRun {
    events: Vec<String>,
    result: Result<(), AnswerError>,
    answer: Answer,
}

async fn run(
    mode: AppMode,
    config: &ModelConfig,
    query: &str,
    chunks: Option<Vec<Result<ModelChunk, ModelError>>>,
) -> FinishedPromptRun {
    let app = PromptApp::new(&run_input(mode, query), config, None, &[]).unwrap();
    let (out, mut events) = runtime::events(EVENTS_AHEAD, &MemoryLedger::unlimited());
    let head = PromptAppEvents::new(
        mode,
        ConversationId(Uuid::nil()),
        MessageId(Uuid::max()),
        (TaskId(Uuid::nil()), AgentThoughtId(Uuid::from_u128(1))),
        7,
    );
    let mut answer = Answer::default();
    let models = Arc::new(ScriptedModel(Mutex::new(chunks)));
    let result = app.run(&*models, &head, &out, &mut answer).await;
    drop(out);
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        let event = event.unwrap();
        let json = String::from_utf8(event.json.to_vec()).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["event"], *event.event);
        all.push(json);
    }
    assert_eq!(answer.begun, !all.is_empty());
    FinishedPromptRun { events: all, result, answer }
}

#[tokio::test]
async fn chat_answer_is_sent_as_messages() {
    let usage = Usage { prompt_tokens: 3, completion_tokens: 2 };
    let ran =
        run(AppMode::Chat, &config(), "Hi", Some(vec![text("Good "), text("\"day\""), Ok(ModelChunk::Usage(usage))]))
            .await;
    insta::assert_snapshot!(ran.events.join("\n"), @r#"
    {"event":"message","conversation_id":"00000000-0000-0000-0000-000000000000","message_id":"ffffffff-ffff-ffff-ffff-ffffffffffff","created_at":7,"task_id":"00000000-0000-0000-0000-000000000000","id":"ffffffff-ffff-ffff-ffff-ffffffffffff","answer":"Good ","from_variable_selector":null}
    {"event":"message","conversation_id":"00000000-0000-0000-0000-000000000000","message_id":"ffffffff-ffff-ffff-ffff-ffffffffffff","created_at":7,"task_id":"00000000-0000-0000-0000-000000000000","id":"ffffffff-ffff-ffff-ffff-ffffffffffff","answer":"\"day\"","from_variable_selector":null}
    "#);
    assert!(ran.result.is_ok());
    assert_eq!((ran.answer.text.as_str(), ran.answer.usage), ("Good \"day\"", usage));
    assert!(ran.answer.first_chunk.unwrap() <= ran.answer.latency);
}

#[tokio::test]
async fn completion_events_have_no_conversation_and_agents_send_their_message_between_thoughts() {
    let ran = run(AppMode::Completion, &config(), "", Some(vec![text("a")])).await;
    insta::assert_snapshot!(ran.events.join("\n"), @r#"{"event":"message","message_id":"ffffffff-ffff-ffff-ffff-ffffffffffff","created_at":7,"task_id":"00000000-0000-0000-0000-000000000000","id":"ffffffff-ffff-ffff-ffff-ffffffffffff","answer":"a","from_variable_selector":null}"#);
    let ran = run(AppMode::AgentChat, &config(), "Hi", Some(vec![text("a")])).await;
    insta::assert_snapshot!(ran.events.join("\n"), @r#"
    {"event":"agent_thought","conversation_id":"00000000-0000-0000-0000-000000000000","message_id":"ffffffff-ffff-ffff-ffff-ffffffffffff","created_at":7,"task_id":"00000000-0000-0000-0000-000000000000","id":"00000000-0000-0000-0000-000000000001","position":1,"thought":"","observation":"","tool":"","tool_labels":{},"tool_input":"","message_files":[]}
    {"event":"agent_message","conversation_id":"00000000-0000-0000-0000-000000000000","message_id":"ffffffff-ffff-ffff-ffff-ffffffffffff","created_at":7,"task_id":"00000000-0000-0000-0000-000000000000","id":"ffffffff-ffff-ffff-ffff-ffffffffffff","answer":"a"}
    {"event":"agent_thought","conversation_id":"00000000-0000-0000-0000-000000000000","message_id":"ffffffff-ffff-ffff-ffff-ffffffffffff","created_at":7,"task_id":"00000000-0000-0000-0000-000000000000","id":"00000000-0000-0000-0000-000000000001","position":1,"thought":"a","observation":"","tool":"","tool_labels":{},"tool_input":"","message_files":[]}
    "#);
    // The model reports no usage, so it is estimated: one token for four characters.
    assert_eq!(ran.answer.usage, Usage { prompt_tokens: 5, completion_tokens: 1 });
}

#[test]
fn message_end_and_error_have_difys_members() {
    let head = PromptAppEvents::new(
        AppMode::Chat,
        ConversationId(Uuid::nil()),
        MessageId(Uuid::nil()),
        (TaskId(Uuid::nil()), AgentThoughtId(Uuid::nil())),
        7,
    );
    let usage = Usage { prompt_tokens: 3, completion_tokens: 2 };
    let block = usage.block(Duration::from_millis(1_500), Some(Duration::from_millis(500)));
    let json = |event: Result<RunEvent>| -> Value { serde_json::from_slice(&event.unwrap().json).unwrap() };
    insta::assert_json_snapshot!(json(head.message_end(&MessageMetadata::with_annotation_reply(block))), @r#"
    {
      "event": "message_end",
      "conversation_id": "00000000-0000-0000-0000-000000000000",
      "message_id": "00000000-0000-0000-0000-000000000000",
      "created_at": 7,
      "task_id": "00000000-0000-0000-0000-000000000000",
      "id": "00000000-0000-0000-0000-000000000000",
      "metadata": {
        "annotation_reply": null,
        "retriever_resources": [],
        "usage": {
          "prompt_tokens": 3,
          "prompt_unit_price": "0",
          "prompt_price_unit": "0",
          "prompt_price": "0",
          "completion_tokens": 2,
          "completion_unit_price": "0",
          "completion_price_unit": "0",
          "completion_price": "0",
          "total_tokens": 5,
          "total_price": "0",
          "currency": "USD",
          "latency": 1.5,
          "time_to_first_token": 0.5,
          "time_to_generate": 1.0
        }
      },
      "files": null
    }
    "#);
    insta::assert_json_snapshot!(json(head.model_failed("It broke.")), @r#"
    {
      "event": "error",
      "conversation_id": "00000000-0000-0000-0000-000000000000",
      "message_id": "00000000-0000-0000-0000-000000000000",
      "created_at": 7,
      "task_id": "00000000-0000-0000-0000-000000000000",
      "status": 400,
      "code": "completion_request_error",
      "message": "It broke."
    }
    "#);
}

#[tokio::test]
async fn failed_model_keeps_the_text_before_its_failure() {
    let ran = run(AppMode::Chat, &config(), "Hi", None).await;
    assert!(matches!(&ran.result, Err(AnswerError::Model(error)) if error.message == "no such model"));
    assert!(ran.events.is_empty());
    let ran = run(AppMode::Chat, &config(), "Hi", Some(vec![text("a"), Err(failing("gone"))])).await;
    assert!(matches!(ran.result, Err(AnswerError::Model(_))));
    assert_eq!((ran.events.len(), ran.answer.text.as_str()), (1, "a"));
}

#[tokio::test]
async fn disconnected_reader_ends_the_run() {
    let app = PromptApp::new(&run_input(AppMode::Chat, "Hi"), &config(), None, &[]).unwrap();
    let (out, events) = runtime::events(EVENTS_AHEAD, &MemoryLedger::unlimited());
    drop(events);
    let head = PromptAppEvents::new(
        AppMode::Chat,
        ConversationId(Uuid::nil()),
        MessageId(Uuid::nil()),
        (TaskId(Uuid::nil()), AgentThoughtId(Uuid::nil())),
        7,
    );
    let models = ScriptedModel(Mutex::new(Some(vec![text("a"), text("b")])));
    let mut answer = Answer::default();
    let result = app.run(&models, &head, &out, &mut answer).await;
    assert!(matches!(result, Err(AnswerError::ClientDisconnected)));
    assert_eq!(answer.text, "a");
}

#[tokio::test]
async fn sensitive_words_in_input_and_answer_are_replaced() {
    let settings = json!({"enabled": true, "preset_response": "Let us not."});
    let mut moderated = config();
    moderated.sensitive_word_avoidance = json!({"enabled": true, "type": "keywords", "config": {
        "keywords": "bomb", "inputs_config": settings, "outputs_config": settings}});
    // The model is not called.
    let input = run(AppMode::Chat, &moderated, "a BOMB", None).await;
    assert_eq!((input.answer.text.as_str(), input.events.len()), ("Let us not.", 1));
    let output = run(AppMode::Chat, &moderated, "Hi", Some(vec![text("a bo"), text("mb and"), text(" more")])).await;
    assert_eq!(output.answer.text, "Let us not.");
    let last: Value = serde_json::from_str(output.events.last().unwrap()).unwrap();
    assert_eq!(
        (output.events.len(), &last["event"], &last["answer"]),
        (2, &json!("message_replace"), &json!("Let us not."))
    );
}

#[test]
fn unsupported_features_are_named_and_disabled_ones_accepted() {
    type Change = fn(&mut ModelConfig);
    let cases: [(&str, Change); 7] = [
        ("the tool `search`", |config| {
            config.agent_mode = json!({"enabled": true, "tools": [
                {"tool_name": "off", "enabled": false}, {"tool_name": "search", "enabled": true},
            ]});
        }),
        ("the tool `web_reader`", |config| config.agent_mode = json!({"tools": [{"web_reader": {"enabled": true}}]})),
        ("knowledge retrieval", |config| {
            config.agent_mode = json!({"tools": [{"dataset": {"enabled": true, "id": "x"}}]});
        }),
        ("knowledge retrieval", |config| {
            config.dataset_configs = json!({"datasets": {"datasets": [{"dataset": {"enabled": true, "id": "x"}}]}});
        }),
        ("the external data tool `w`", |config| {
            config.external_data_tools = json!([{"enabled": true, "variable": "w"}]);
        }),
        ("the external data tool `v`", |config| {
            config.user_input_form = json!([{"external_data_tool": {"variable": "v"}}]);
        }),
        ("moderation by `api`", |config| config.sensitive_word_avoidance = json!({"enabled": true, "type": "api"})),
    ];
    for (feature, change) in cases {
        let mut config = config();
        change(&mut config);
        let input = run_input(AppMode::AgentChat, "Hi");
        let error = PromptApp::new(&input, &config, None, &[]).unwrap_err();
        assert_eq!(error.code(), Code::AppUnavailable);
        assert_eq!(error.message(), format!("This app uses {feature}, which this service does not support."));
    }
    // One error names every feature.
    let mut config = self::config();
    config.agent_mode = json!({"tools": [
        {"tool_name": "search", "enabled": true}, {"tool_name": "time", "enabled": true},
        {"dataset": {"enabled": true}},
    ]});
    config.sensitive_word_avoidance = json!({"enabled": true, "type": "api"});
    let error = PromptApp::new(&run_input(AppMode::AgentChat, "Hi"), &config, None, &[]).unwrap_err();
    let expected = "This app uses the tool `search`, the tool `time`, knowledge retrieval and moderation by `api`, \
                    which this service does not support.";
    assert_eq!(error.message(), expected);
    let mut config = self::config();
    config.agent_mode = json!({"enabled": false, "tools": [{"tool_name": "search", "enabled": true}]});
    config.external_data_tools = json!([{"enabled": false, "variable": "w"}]);
    config.sensitive_word_avoidance = json!({"enabled": false, "type": "api"});
    let input = run_input(AppMode::Chat, "Hi");
    PromptApp::new(&input, &config, None, &[]).unwrap();
}
