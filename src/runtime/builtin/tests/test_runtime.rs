//! A runtime with a database and models for tests, and requests to it.

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

use super::super::{
    app_runtime::BuiltinRuntime,
    model::{ModelChunk, ModelError, ModelRegistry, Models, Prompt, echo::EchoModel, stream::ModelStream},
    nodes::workspace_credentials::NoConnections,
    run_context::RuntimeDependencies,
    run_limits::RunLimits,
    template::TemplateRenderer,
};
use crate::{
    domain::{
        Result,
        app::{App, AppMode, Definition, ModelConfig, Workflow},
        id::{AppId, ConversationId, WorkflowId, WorkspaceId},
        secret::Secret,
    },
    memory::MemoryLedger,
    ports::{
        clock::SystemClock,
        entropy::SystemEntropy,
        runtime::{self, AppRuntime, RunRequest},
    },
    runtime::outbound::OutboundClient,
    store::sql::{
        SqlOptions, SqlStore,
        tests::{count, test_keys},
    },
};

/// Models whose behaviour the prompt selects: `hang` hangs after one word, `refuse` fails at once, `break` fails
/// after one word, `pour` sends one long chunk, and `flood` sends long chunks forever. Any other prompt is echoed.
#[derive(Default)]
pub(super) struct PromptDrivenModels {
    pub prompts: parking_lot::Mutex<Vec<Prompt>>,
    /// Number of hanging streams that are open.
    pub open_streams: Arc<AtomicUsize>,
    /// Number of long chunks that were sent.
    pub long_chunks: Arc<AtomicUsize>,
}

/// Length of a long chunk: as many bytes as a run may be ahead of its reader.
pub(super) const LONG: usize = runtime::BYTES_AHEAD as usize;

struct StreamGuard(Arc<AtomicUsize>);

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Models for PromptDrivenModels {
    async fn stream(&self, prompt: Prompt) -> Result<ModelStream, ModelError> {
        self.prompts.lock().push(prompt.clone());
        let error =
            || ModelError { endpoint_message: Some("at line 1".to_owned()), ..ModelError::new("The model broke.") };
        let word = stream::iter([Ok(ModelChunk::Text("word ".to_owned()))]);
        let text = prompt.messages.last().map(|message| message.text.clone()).unwrap_or_default();
        if text.starts_with("hang") {
            self.open_streams.fetch_add(1, Ordering::Relaxed);
            let open = StreamGuard(Arc::clone(&self.open_streams));
            let forever = stream::pending().inspect(move |_: &Result<_, _>| _ = &open);
            return Ok(word.chain(forever).boxed());
        }
        match text.as_str() {
            "flood" | "pour" => {
                let sent = Arc::clone(&self.long_chunks);
                let long = stream::repeat_with(move || {
                    sent.fetch_add(1, Ordering::Relaxed);
                    Ok(ModelChunk::Text("x".repeat(LONG)))
                });
                Ok(if text == "pour" { long.take(1).boxed() } else { long.boxed() })
            }
            "refuse" => Err(error()),
            "break" => Ok(word.chain(stream::iter([Err(error())])).boxed()),
            _ => ModelRegistry { echo: EchoModel::default(), endpoint: None, images: None }.stream(prompt).await,
        }
    }
}

pub(super) struct TestRuntime {
    pub runtime: BuiltinRuntime,
    pub models: Arc<PromptDrivenModels>,
    sql: Arc<SqlStore>,
    tasks: TaskTracker,
    pub shutdown: CancellationToken,
    _directory: TempDir,
}

impl TestRuntime {
    pub(super) async fn new() -> Self {
        Self::with(RunLimits::default(), 100).await
    }

    pub(super) async fn with(limits: RunLimits, max_runs: usize) -> Self {
        Self::within(&MemoryLedger::unlimited(), limits, max_runs).await
    }

    pub(super) async fn within(memory: &MemoryLedger, limits: RunLimits, max_runs: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", directory.path().join("test.db").display());
        let sql = SqlStore::connect(SqlOptions::new(Secret::new(url), 8, test_keys())).await.unwrap();
        sql.migrate_up(false).await.unwrap();
        let (sql, models, tasks, shutdown) =
            (Arc::new(sql), Arc::default(), TaskTracker::new(), CancellationToken::new());
        let dependencies = RuntimeDependencies {
            sql: Arc::clone(&sql),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            models: Arc::clone(&models) as Arc<dyn Models>,
            outbound: Arc::new(
                OutboundClient::new(
                    Vec::new(),
                    &MemoryLedger::unlimited(),
                    &crate::http_client::HttpClients::default(),
                )
                .unwrap(),
            ),
            tools: None,
            credentials: Arc::new(NoConnections),
            templates: Arc::new(TemplateRenderer::new(2, Arc::new(SystemEntropy), MemoryLedger::unlimited())),
            memory: memory.clone(),
            tasks: tasks.clone(),
            shutdown: shutdown.clone(),
        };
        Self {
            runtime: BuiltinRuntime::new(dependencies, limits, max_runs),
            models,
            sql,
            tasks,
            shutdown,
            _directory: directory,
        }
    }

    /// Waits until every run has ended and is stored.
    pub(super) async fn wait_for_all_runs(&self) {
        self.tasks.close();
        tokio::time::timeout(Duration::from_secs(10), self.tasks.wait()).await.expect("every run ends");
    }

    pub(super) async fn count(&self, rows: &str) -> i64 {
        count(&self.sql, rows).await
    }

    pub(super) async fn run(&self, run: RunRequest) -> Vec<serde_json::Value> {
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
    crate::runtime::builtin::prompt_app::tests::config()
}

pub(super) fn prompt_request(mode: AppMode, query: &str) -> RunRequest {
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
        account: None,
        external_user: None,
        inputs: Map::from_iter([("name".to_owned(), json!("Ann"))]),
        query: Some(query.to_owned()).filter(|query| !query.is_empty()),
        files: Vec::new(),
        uploads: Vec::new(),
        conversation_id: None,
        auto_generate_name: true,
        workflow_id: None,
        stop: tokio_util::sync::CancellationToken::new(),
    }
}

/// A run of a graph that sends the query to the model and answers with its text.
pub(super) fn graph_request(mode: AppMode, query: &str) -> RunRequest {
    let node = |id: &str, data: serde_json::Value| json!({"id": id, "type": "custom", "data": data});
    let prompt = if mode == AppMode::Workflow { "{{#start.name#}}" } else { "{{#sys.query#}}" };
    let llm = json!({
        "type": "llm",
        "title": "LLM",
        "model": {"provider": "echo", "name": "echo", "mode": "chat", "completion_params": {}},
        "prompt_template": [{"role": "user", "text": prompt}],
        "context": {"enabled": false},
    });
    let last = if mode == AppMode::Workflow {
        json!({"type": "end", "title": "End", "outputs": [{"variable": "said", "value_selector": ["llm", "text"]}]})
    } else {
        let text = "{{#sys.dialogue_count#}} {{#conversation.mood#}} {{#llm.text#}}";
        json!({"type": "answer", "title": "Answer", "answer": text})
    };
    let start = json!({"type": "start", "title": "Start", "variables": [{"variable": "name", "type": "text-input"}]});
    let edge = |source: &str, target: &str| {
        let handle = "source";
        json!({"source": source, "target": target, "sourceHandle": handle, "targetHandle": "target"})
    };
    let workflow = Workflow {
        id: WorkflowId(Uuid::from_u128(6)),
        version: "2026-01-01 00:00:00".to_owned(),
        graph: json!({
            "nodes": [node("start", start), node("llm", llm), node("last", last)],
            "edges": [edge("start", "llm"), edge("llm", "last")],
        }),
        features: json!({"opening_statement": "Hi {{name}}"}),
        environment_variables: json!({}),
        conversation_variables: json!({"mood": {"name": "mood", "value_type": "string", "value": "calm"}}),
    };
    let definition = Definition::Workflow(Box::new(workflow));
    let mut run = RunRequest { definition, ..prompt_request(mode, query) };
    if mode == AppMode::Workflow {
        run.inputs = Map::from_iter([("name".to_owned(), json!(query))]);
        run.query = None;
    }
    run
}

pub(super) fn event_names(events: &[serde_json::Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

pub(super) fn answer_text(events: &[serde_json::Value]) -> String {
    events.iter().filter_map(|event| event["answer"].as_str()).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "as a request names it")]
pub(super) fn conversation_id_of(events: &[serde_json::Value]) -> Option<ConversationId> {
    Some(events[0]["conversation_id"].as_str().unwrap().parse().unwrap())
}
