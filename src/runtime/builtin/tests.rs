//! Runs from the request to the row: what is told, what is kept, and how they end.

mod endings;
mod slow_readers;
mod tokens;
mod types;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde_json::{Map, json};
use tempfile::TempDir;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    app_runtime::{BUSY_RETRY_AFTER, BuiltinRuntime},
    model::{ModelChunk, ModelError, ModelRegistry, ModelStream, Models, Prompt, echo::EchoModel},
    run_context::RuntimeDependencies,
    run_limits::RunLimits,
    template::TemplateRenderer,
};
use crate::{
    domain::{
        Code, Result,
        app::{App, AppMode, Definition, ModelConfig, Workflow},
        id::{AppId, ConversationId, WorkflowId, WorkspaceId},
        secret::Secret,
    },
    ports::{
        clock::SystemClock,
        entropy::SystemEntropy,
        runtime::{self, AppRuntime, RunRequest},
    },
    runtime::outbound::OutboundClient,
    store::sql::{SqlOptions, SqlStore, tests::count},
};

/// Echoes, unless it is told to hang after a word, to fail at once, to fail after a word, or to say much: once or without end.
/// Keeps what it was asked.
#[derive(Default)]
struct Directed {
    asked: parking_lot::Mutex<Vec<Prompt>>,
    /// Streams that were begun and are not over.
    open: Arc<AtomicUsize>,
    /// Long pieces that were said.
    poured: Arc<AtomicUsize>,
}

/// A piece of an answer that is as long as a run may be ahead of its reader.
const LONG: usize = runtime::BYTES_AHEAD as usize;

struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Models for Directed {
    async fn stream(&self, prompt: Prompt) -> Result<ModelStream, ModelError> {
        self.asked.lock().push(prompt.clone());
        let failure = || ModelError { said: Some("at line 1".to_owned()), ..ModelError::new("The model broke.") };
        let word = stream::iter([Ok(ModelChunk::Text("word ".to_owned()))]);
        let said = prompt.messages.last().map(|message| message.text.clone()).unwrap_or_default();
        if said.starts_with("hang") {
            self.open.fetch_add(1, Ordering::Relaxed);
            let open = Open(Arc::clone(&self.open));
            let forever = stream::pending().inspect(move |_: &Result<_, _>| _ = &open);
            return Ok(word.chain(forever).boxed());
        }
        match said.as_str() {
            "flood" | "pour" => {
                let poured = Arc::clone(&self.poured);
                let long = stream::repeat_with(move || {
                    poured.fetch_add(1, Ordering::Relaxed);
                    Ok(ModelChunk::Text("x".repeat(LONG)))
                });
                Ok(if said == "pour" { long.take(1).boxed() } else { long.boxed() })
            }
            "refuse" => Err(failure()),
            "break" => Ok(word.chain(stream::iter([Err(failure())])).boxed()),
            _ => ModelRegistry { echo: EchoModel::default(), endpoint: None }.stream(prompt).await,
        }
    }
}

struct Stand {
    runtime: BuiltinRuntime,
    models: Arc<Directed>,
    sql: Arc<SqlStore>,
    tasks: TaskTracker,
    end: CancellationToken,
    _directory: TempDir,
}

impl Stand {
    async fn new() -> Self {
        Self::with(RunLimits::default(), 100).await
    }

    async fn with(limits: RunLimits, max_runs: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", directory.path().join("test.db").display());
        let sql = SqlStore::connect(SqlOptions { url: Secret::new(url), max_connections: 8 }).await.unwrap();
        sql.migrate_up(false).await.unwrap();
        let (sql, models, tasks, end) = (Arc::new(sql), Arc::default(), TaskTracker::new(), CancellationToken::new());
        let dependencies = RuntimeDependencies {
            sql: Arc::clone(&sql),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            models: Arc::clone(&models) as Arc<dyn Models>,
            outbound: Arc::new(OutboundClient::new(Vec::new()).unwrap()),
            templates: Arc::new(TemplateRenderer::new(2)),
            tasks: tasks.clone(),
            shutdown: end.clone(),
        };
        Self {
            runtime: BuiltinRuntime::new(dependencies, limits, max_runs),
            models,
            sql,
            tasks,
            end,
            _directory: directory,
        }
    }

    /// Waits for every run to be over and stored.
    async fn settle(&self) {
        self.tasks.close();
        tokio::time::timeout(Duration::from_secs(10), self.tasks.wait()).await.expect("every run ends");
    }

    async fn count(&self, rows: &str) -> i64 {
        count(&self.sql, rows).await
    }

    async fn play(&self, run: RunRequest) -> Vec<serde_json::Value> {
        let mut stream = self.runtime.start(run).await.unwrap();
        let mut events = Vec::new();
        while let Some(event) = stream.next().await {
            let event = event.unwrap();
            events.push(serde_json::from_slice(&event.json).unwrap());
        }
        events
    }
}

fn config() -> ModelConfig {
    super::prompt_app::tests::config()
}

fn request(mode: AppMode, query: &str) -> RunRequest {
    let app = App {
        id: AppId(Uuid::from_u128(2)),
        workspace_id: WorkspaceId(Uuid::from_u128(1)),
        mode,
        max_active_requests: None,
    };
    RunRequest {
        app,
        definition: Definition::Model(Box::new(config())),
        user: "ann".to_owned(),
        inputs: Map::from_iter([("name".to_owned(), json!("Ann"))]),
        query: Some(query.to_owned()).filter(|query| !query.is_empty()),
        files: Vec::new(),
        conversation_id: None,
        auto_generate_name: true,
        workflow_id: None,
    }
}

/// A graph that asks the model with the query, counts its runs in a conversation variable, and answers.
fn graph(mode: AppMode, query: &str) -> RunRequest {
    let node = |id: &str, data: serde_json::Value| json!({"id": id, "type": "custom", "data": data});
    let llm = json!({"type": "llm", "title": "LLM", "model": {"provider": "echo", "name": "echo", "mode": "chat", "completion_params": {}},
        "prompt_template": [{"role": "user", "text": if mode == AppMode::Workflow { "{{#start.name#}}" } else { "{{#sys.query#}}" }}],
        "context": {"enabled": false}});
    let last = if mode == AppMode::Workflow {
        json!({"type": "end", "title": "End", "outputs": [{"variable": "said", "value_selector": ["llm", "text"]}]})
    } else {
        json!({"type": "answer", "title": "Answer", "answer": "{{#sys.dialogue_count#}} {{#conversation.mood#}} {{#llm.text#}}"})
    };
    let start = json!({"type": "start", "title": "Start", "variables": [{"variable": "name", "type": "text-input"}]});
    let edge = |source: &str, target: &str| json!({"source": source, "target": target, "sourceHandle": "source", "targetHandle": "target"});
    let workflow = Workflow {
        id: WorkflowId(Uuid::from_u128(6)),
        version: "2026-01-01 00:00:00".to_owned(),
        graph: json!({"nodes": [node("start", start), node("llm", llm), node("last", last)], "edges": [edge("start", "llm"), edge("llm", "last")]}),
        features: json!({"opening_statement": "Hi {{name}}"}),
        environment_variables: json!({}),
        conversation_variables: json!({"mood": {"name": "mood", "value_type": "string", "value": "calm"}}),
    };
    let definition = Definition::Workflow(Box::new(workflow));
    let mut run = RunRequest { definition, ..request(mode, query) };
    if mode == AppMode::Workflow {
        run.inputs = Map::from_iter([("name".to_owned(), json!(query))]);
        run.query = None;
    }
    run
}

fn names(events: &[serde_json::Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

fn said(events: &[serde_json::Value]) -> String {
    events.iter().filter_map(|event| event["answer"].as_str()).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "as a request names it")]
fn conversation_of(events: &[serde_json::Value]) -> Option<ConversationId> {
    Some(events[0]["conversation_id"].as_str().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_chat_is_stored_before_its_end_is_told_and_goes_on() {
    let stand = Stand::new().await;
    let mut stream = stand.runtime.start(request(AppMode::Chat, "Reply exactly: one two")).await.unwrap();
    let mut events: Vec<serde_json::Value> = Vec::new();
    while let Some(event) = stream.next().await {
        let event: serde_json::Value = serde_json::from_slice(&event.unwrap().json).unwrap();
        let stored = stand.count("messages WHERE answer = 'one two' AND status = 'normal'").await;
        assert!(event["event"] != "message_end" || stored == 1, "the end is told before it is true");
        events.push(event);
    }
    assert_eq!(names(&events), ["message", "message", "message_end"]);
    let usage = &events[2]["metadata"]["usage"];
    // Eleven words of the prompt: instructions, the opening statement, the query.
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(10), &json!(2)));

    let second = RunRequest { conversation_id: conversation_of(&events), ..request(AppMode::Chat, "And now?") };
    let more = stand.play(second).await;
    assert_eq!(conversation_of(&more), conversation_of(&events));
    let asked = stand.models.asked.lock().last().unwrap().messages.clone();
    let lines: Vec<&str> = asked.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(lines, ["You help Ann, .\n", "Hi Ann!", "Reply exactly: one two", "one two", "And now?"]);
    assert_eq!(stand.count("conversations WHERE dialogue_count = 2 AND name = 'Reply exactly: one two'").await, 1);
    assert_eq!(
        stand.count("conversations WHERE introduction = 'Hi Ann!' AND app_model_config_id IS NOT NULL").await,
        1
    );
    assert_eq!(stand.count("messages WHERE invoke_from = 'service-api' AND model_id = 'echo'").await, 2);
    assert_eq!((stand.count("end_users").await, stand.count("workflow_runs").await), (1, 0));
}

#[tokio::test]
async fn a_conversation_is_its_callers_and_its_apps_alone() {
    let stand = Stand::new().await;
    for (first, again) in [
        (request(AppMode::Chat, "Hi"), request(AppMode::Chat, "Hi") as RunRequest),
        (graph(AppMode::AdvancedChat, "Hi"), graph(AppMode::AdvancedChat, "Hi")),
    ] {
        let conversation_id = conversation_of(&stand.play(first).await);
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
            assert_eq!(stand.runtime.start(run).await.unwrap_err().code(), Code::NotFound);
        }
        stand.play(again()).await;
    }
    stand.settle().await;
    assert_eq!(stand.count("messages").await, 4);
}

#[tokio::test]
async fn completion_and_agent_chat_are_stored_in_their_ways() {
    let stand = Stand::new().await;
    let completed = stand.play(request(AppMode::Completion, "")).await;
    assert_eq!(names(&completed).last(), Some(&"message_end"));
    assert!(completed.iter().all(|event| event.get("conversation_id").is_none()));
    let agent = stand.play(request(AppMode::AgentChat, "Reply exactly: yes")).await;
    assert_eq!(names(&agent), ["agent_message", "message_end"]);
    assert_eq!(stand.count("conversations WHERE mode = 'completion' AND name = 'New conversation'").await, 1);
    assert_eq!(
        stand.count("messages WHERE app_mode = 'agent-chat' AND agent_based = true AND answer = 'yes'").await,
        1
    );
    assert_eq!(stand.count("messages WHERE app_mode = 'completion' AND query = ''").await, 1);
}

#[tokio::test]
async fn an_advanced_chat_runs_its_graph_and_remembers() {
    let stand = Stand::new().await;
    let first = stand.play(graph(AppMode::AdvancedChat, "Reply exactly: a b")).await;
    let told = names(&first);
    assert_eq!((told[0], &told[told.len() - 2..]), ("workflow_started", &["message_end", "workflow_finished"][..]));
    assert_eq!(said(&first), "1 calm a b");
    let second = RunRequest { conversation_id: conversation_of(&first), ..graph(AppMode::AdvancedChat, "Hi") };
    assert_eq!(said(&stand.play(second).await), "2 calm You said: Hi");
    assert_eq!(stand.count("workflow_runs WHERE type = 'chat' AND status = 'succeeded' AND total_steps = 3").await, 2);
    assert_eq!(stand.count("messages JOIN workflow_runs ON workflow_runs.id = messages.workflow_run_id").await, 2);
    assert_eq!(stand.count("conversations WHERE introduction = 'Hi Ann' AND dialogue_count = 2").await, 1);
    assert_eq!(stand.count("openapi_conversation_variables WHERE variables = '{\"mood\":\"calm\"}'").await, 1);
    assert_eq!(
        stand.count("workflow_runs WHERE inputs LIKE '%\"sys.query\":\"Hi\"%' AND graph LIKE '%nodes%'").await,
        1
    );
}

#[tokio::test]
async fn a_workflow_is_stored_with_its_outcome() {
    let stand = Stand::new().await;
    let events = stand.play(graph(AppMode::Workflow, "Reply exactly: done")).await;
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["data"]["outputs"]), (&json!("workflow_finished"), &json!({"said": "done"})));
    stand.play(graph(AppMode::Workflow, "refuse")).await;
    assert_eq!(stand.count("workflow_runs WHERE status = 'succeeded' AND outputs = '{\"said\":\"done\"}'").await, 1);
    assert_eq!(stand.count("workflow_runs WHERE status = 'failed' AND error = 'The model broke: at line 1'").await, 1);
    assert_eq!((stand.count("conversations").await, stand.count("messages").await), (0, 0));
}

#[tokio::test]
async fn a_model_that_fails_is_the_first_thing_told_or_an_event() {
    let stand = Stand::new().await;
    let mut stream = stand.runtime.start(request(AppMode::Chat, "refuse")).await.unwrap();
    let refusal = stream.next().await.unwrap().unwrap_err();
    assert_eq!((refusal.code(), refusal.message()), (Code::UpstreamError, "The model broke."));
    assert_eq!(std::error::Error::source(&refusal).unwrap().to_string(), "The model broke: at line 1");
    assert!(stream.next().await.is_none());
    let events = stand.play(request(AppMode::Chat, "break")).await;
    assert_eq!(names(&events), ["message", "error"]);
    assert_eq!(events[1]["code"], "completion_request_error");
    assert_eq!(events[1]["message"], "The model broke: at line 1");
    assert_eq!(stand.count("messages WHERE status = 'error' AND error = 'The model broke: at line 1'").await, 2);
    assert_eq!(stand.count("messages WHERE status = 'error' AND answer = 'word '").await, 1);
}

#[tokio::test]
async fn a_process_runs_no_more_than_it_may() {
    let stand = Stand::with(RunLimits::default(), 2).await;
    let first = stand.runtime.start(request(AppMode::Chat, "hang")).await.unwrap();
    let _second = stand.runtime.start(request(AppMode::Chat, "hang")).await.unwrap();
    let refusal = stand.runtime.start(request(AppMode::Chat, "Hi")).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.retry_after()), (Code::RateLimited, Some(BUSY_RETRY_AFTER)));
    drop(first);
    let freed = async {
        while stand.runtime.start(request(AppMode::Chat, "Hi")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), freed).await.expect("a place is free again");
}

#[tokio::test]
async fn all_runs_together_have_so_much_memory() {
    let limits = RunLimits { process_bytes: 1 << 20, ..RunLimits::default() };
    let stand = Stand::with(limits, 100).await;
    let long = |bytes: usize| RunRequest { query: Some("x".repeat(bytes)), ..request(AppMode::Chat, "") };
    let refusal = stand.runtime.start(long(1 << 20)).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.retry_after()), (Code::RateLimited, Some(BUSY_RETRY_AFTER)));
    // What was refused holds nothing.
    stand.runtime.start(long(100 << 10)).await.unwrap();
}

#[tokio::test]
async fn an_app_of_another_mode_than_its_definition_is_unavailable() {
    let stand = Stand::new().await;
    let mut run = graph(AppMode::AdvancedChat, "Hi");
    run.app.mode = AppMode::Chat;
    assert_eq!(stand.runtime.start(run).await.unwrap_err().code(), Code::AppUnavailable);
    let mut run = request(AppMode::Chat, "Hi");
    run.app.mode = AppMode::Workflow;
    assert_eq!(stand.runtime.start(run).await.unwrap_err().code(), Code::AppUnavailable);
    let mut moderated = graph(AppMode::AdvancedChat, "Hi");
    let Definition::Workflow(workflow) = &mut moderated.definition else { unreachable!() };
    workflow.features = json!({"sensitive_word_avoidance": {"enabled": true, "type": "keywords"}});
    assert_eq!(stand.runtime.start(moderated).await.unwrap_err().code(), Code::AppUnavailable);
    stand.settle().await;
    assert_eq!(stand.count("end_users").await, 0);
}

#[tokio::test]
async fn many_first_runs_of_one_caller_at_once_make_one_end_user() {
    let stand = Arc::new(Stand::new().await);
    let runs = (0..40).map(|n| {
        let stand = Arc::clone(&stand);
        let run = if n % 2 == 0 { request(AppMode::Chat, "Hi") } else { graph(AppMode::AdvancedChat, "Hi") };
        tokio::spawn(async move { stand.play(run).await })
    });
    for run in runs.collect::<Vec<_>>() {
        run.await.unwrap();
    }
    assert_eq!((stand.count("end_users").await, stand.count("conversations").await), (1, 40));
}
