//! Sets up runs for tests: short notations for graphs, a fixed clock, ids that count up, and scripted models.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    domain::{Result, app::AppMode, id},
    memory::{MemoryLedger, Owner},
    ports::{
        clock::Clock,
        entropy::Entropy,
        runtime::{self, EVENTS_AHEAD},
        tool_invoker::ToolInvoker,
    },
    runtime::{
        builtin::{
            engine::{
                execution::{ConversationIds, Execution},
                outcome::RunOutcome,
                pause::Resumption,
                run::run_graph,
            },
            events::workflow::CreatedBy,
            graph::parse::parse_graph,
            model::{ModelChunk, ModelError, Models, Prompt, PromptMessage, Usage, stream::ModelStream},
            nodes::{
                tool::RunTools,
                workspace_credentials::{NoConnections, WorkspaceCredentials},
            },
            run_images::RunImages,
            run_limits::RunLimits,
            run_memory::RunMemory,
            secret_masks::SecretMasks,
            template::{TemplateRenderer, slots::SlotOwner},
            variables::{pool::SystemVariables, value_type::DeclaredTypes},
        },
        outbound::{OutboundClient, RunOutboundClient},
    },
};

/// The value of `env.KEY`.
pub(super) const SECRET: &str = "s3cret key";

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).unwrap()
    }
}

/// Returns 1, 2, 3, … as big-endian bytes.
#[derive(Default)]
struct CountingEntropy(AtomicU64);

impl Entropy for CountingEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        let next = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        bytes.fill(0);
        let from = bytes.len() - 8;
        bytes[from..].copy_from_slice(&next.to_be_bytes());
        Ok(())
    }
}

/// Models whose names select their behaviour. `words` streams the last message word by word and reports its usage,
/// `slow` does so with pauses and without usage, `cut` reports a finish reason instead of usage, `refuses` fails at
/// once, `fails` fails after one word, `flaky` does so on its first call only, `hangs` never ends, and `many` streams
/// `x` 10,000 times.
#[derive(Default)]
pub(super) struct ScriptedModels {
    pub prompts: Mutex<Vec<Prompt>>,
    /// Number of streams of `hangs` that were dropped.
    pub dropped_streams: Arc<AtomicU64>,
    /// Number of chunks that `many` sent.
    pub sent_chunks: Arc<AtomicU64>,
}

struct CountOnDrop(Arc<AtomicU64>);

impl Drop for CountOnDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn error(message: &str) -> ModelError {
    ModelError::new(message)
}

#[async_trait]
impl Models for ScriptedModels {
    async fn stream(&self, prompt: Prompt) -> Result<ModelStream, ModelError> {
        let last = prompt.messages.last().map(|line| line.text.clone()).unwrap_or_default();
        let times = {
            let mut prompts = self.prompts.lock();
            prompts.push(prompt.clone());
            prompts.iter().filter(|earlier| earlier.model == prompt.model).count()
        };
        let words: Vec<String> = last.split_inclusive(' ').map(str::to_owned).collect();
        let usage = Usage { prompt_tokens: 3, completion_tokens: words.len() as u64 };
        let text = stream::iter(words).map(|word| Ok(ModelChunk::Text(word)));
        let guard = CountOnDrop(self.dropped_streams.clone());
        let chunks: ModelStream = match prompt.model.as_str() {
            "refuses" => return Err(error("no such model")),
            "fails" => stream::iter([Ok(ModelChunk::Text("half ".into())), Err(error("the line broke"))]).boxed(),
            "flaky" if times == 1 => {
                stream::iter([Ok(ModelChunk::Text("half ".into())), Err(error("the line broke"))]).boxed()
            }
            "cut" => text.chain(stream::iter([Ok(ModelChunk::Finish("length".into()))])).boxed(),
            "hangs" => {
                let held = move |_: &_| {
                    let _ = &guard;
                };
                text.chain(stream::pending()).inspect(held).boxed()
            }
            "many" => {
                let count = self.sent_chunks.clone();
                let send = move |_| {
                    count.fetch_add(1, Ordering::Relaxed);
                    Ok(ModelChunk::Text("x".into()))
                };
                stream::iter(0..10_000).map(send).boxed()
            }
            "slow" => text
                .then(|word| async {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    word
                })
                .boxed(),
            _ => text.chain(stream::iter([Ok(ModelChunk::Usage(usage))])).boxed(),
        };
        Ok(chunks)
    }
}

pub(super) fn node(id: &str, kind: &str, data: Value) -> Value {
    let mut whole = json!({"type": kind, "title": format!("The {id}")});
    whole.as_object_mut().unwrap().extend(map(data));
    json!({"id": id, "type": "custom", "data": whole})
}

/// Moves a node into an iteration.
pub(super) fn inside(parent: &str, mut node: Value) -> Value {
    node["parentId"] = parent.into();
    node
}

/// An `llm` node with this model and this user message.
pub(super) fn llm(id: &str, model: &str, prompt: &str, more: Value) -> Value {
    let mut data = json!({
        "model": {"provider": "scripted", "name": model, "mode": "chat", "completion_params": {}},
        "prompt_template": [{"role": "user", "text": prompt}],
        "context": {"enabled": false},
    });
    data.as_object_mut().unwrap().extend(map(more));
    node(id, "llm", data)
}

/// A graph. Edges are written as `from>to` or `from:handle>to`, separated by spaces.
pub(super) fn graph(nodes: impl IntoIterator<Item = Value>, edges: &str) -> Value {
    let edges = edges.split_whitespace().map(|edge| {
        let (source, target) = edge.split_once('>').unwrap();
        let (source, handle) = source.split_once(':').unwrap_or((source, "source"));
        json!({"source": source, "target": target, "sourceHandle": handle, "targetHandle": "target"})
    });
    json!({"nodes": nodes.into_iter().collect::<Vec<_>>(), "edges": edges.collect::<Vec<_>>()})
}

pub(super) fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

/// The input of a run.
pub(super) struct RunSetup {
    pub graph: Value,
    pub mode: AppMode,
    pub inputs: Value,
    pub conversation: Value,
    pub history: Vec<PromptMessage>,
    pub limits: RunLimits,
    pub models: Arc<ScriptedModels>,
    pub tools: Option<Arc<dyn ToolInvoker>>,
    /// Set for a run that continues.
    pub resumption: Option<Resumption>,
}

/// The events and the outcome of a run.
pub(super) struct FinishedRun {
    pub events: Vec<Value>,
    pub outcome: RunOutcome,
    pub models: Arc<ScriptedModels>,
}

impl RunSetup {
    pub(super) fn new(mode: AppMode, graph: Value) -> Self {
        Self {
            graph,
            mode,
            inputs: json!({}),
            conversation: json!({}),
            history: Vec::new(),
            limits: RunLimits::default(),
            models: Arc::default(),
            tools: None,
            resumption: None,
        }
    }

    pub(super) fn chat(nodes: impl IntoIterator<Item = Value>, edges: &str) -> Self {
        Self::new(AppMode::AdvancedChat, graph(nodes, edges))
    }

    pub(super) fn workflow(nodes: impl IntoIterator<Item = Value>, edges: &str) -> Self {
        Self::new(AppMode::Workflow, graph(nodes, edges))
    }

    pub(super) fn inputs(mut self, inputs: Value) -> Self {
        self.inputs = inputs;
        self
    }

    pub(super) fn limits(mut self, change: impl FnOnce(&mut RunLimits)) -> Self {
        change(&mut self.limits);
        self
    }

    pub(super) fn execution(&self) -> Execution {
        let chat = self.mode == AppMode::AdvancedChat;
        let mut system = map(json!({"user_id": "u-1", "app_id": "a-1", "workflow_run_id": "r-1", "files": []}));
        if chat {
            system.extend(map(json!({"query": "What now?", "conversation_id": "c-1", "dialogue_count": 1})));
        }
        Execution {
            graph: Arc::new(parse_graph(&self.graph, self.mode).unwrap()),
            inputs: map(self.inputs.clone()),
            system: SystemVariables(system),
            environment: map(json!({"KEY": SECRET})),
            masks: SecretMasks::new([SECRET]),
            conversation_variables: map(self.conversation.clone()),
            conversation_types: DeclaredTypes::new(),
            task_id: id::TaskId(Uuid::from_u128(1)),
            workflow_run_id: id::WorkflowRunId(Uuid::from_u128(2)),
            workflow_id: id::WorkflowId(Uuid::from_u128(3)),
            conversation: chat.then_some(ConversationIds {
                conversation: id::ConversationId(Uuid::from_u128(4)),
                message: id::MessageId(Uuid::from_u128(5)),
            }),
            created_by: CreatedBy { id: "end-user".to_owned(), user: "someone".to_owned() },
            history: self.history.clone(),
            images: Arc::new(RunImages::new(Vec::new(), [Owner::of(&1), Owner::of(&2)])),
            resumption: self.resumption.clone().map(Box::new),
            stop: tokio_util::sync::CancellationToken::new(),
            models: self.models.clone(),
            templates: Arc::new(TemplateRenderer::new(
                2,
                Arc::new(CountingEntropy::default()),
                MemoryLedger::unlimited(),
            ))
            .for_app(SlotOwner { workspace: id::WorkspaceId(Uuid::from_u128(6)), app: id::AppId(Uuid::from_u128(7)) }),
            outbound: RunOutboundClient::new(
                &Arc::new(
                    OutboundClient::new(
                        vec!["127.0.0.0/8".parse().unwrap()],
                        &MemoryLedger::unlimited(),
                        &crate::http_client::HttpClients::default(),
                    )
                    .unwrap(),
                ),
                [Owner::of(&"workspace"), Owner::of(&"app")],
            ),
            tools: self.tools.as_ref().map(|invoker| {
                RunTools::new(invoker, [Owner::of(&"workspace"), Owner::of(&"app")], "someone".to_owned())
            }),
            credentials: WorkspaceCredentials {
                workspace: id::WorkspaceId(Uuid::from_u128(6)),
                account: None,
                source: Arc::new(NoConnections),
            },
            clock: Arc::new(FixedClock),
            entropy: Arc::new(CountingEntropy::default()),
            limits: self.limits,
            memory: RunMemory::new(&MemoryLedger::unlimited(), id::WorkspaceId(Uuid::from_u128(7))),
        }
    }

    /// Runs the graph and reads every event.
    pub(super) async fn execute(self) -> FinishedRun {
        let (sender, mut receiver) = runtime::events(EVENTS_AHEAD, &MemoryLedger::unlimited());
        let execution = self.execution();
        let outcome = tokio::spawn(async move { run_graph(&execution, &sender).await });
        let mut events = Vec::new();
        while let Some(event) = receiver.next().await {
            let event = event.unwrap();
            let json: Value = serde_json::from_slice(&event.json).unwrap();
            assert_eq!(json["event"], *event.event);
            assert!(!event.json.contains(&b'\n'));
            events.push(json);
        }
        FinishedRun { events, outcome: outcome.await.unwrap(), models: self.models }
    }
}

impl FinishedRun {
    /// One word for each event: `(` and `)` for the run, `+` and `-` for the start and the end of a node, `~` for a
    /// retry, `[`, `#` and `]` for an iteration and its rounds, and texts in quotes.
    pub(super) fn summary(&self) -> String {
        let short = |event: &Value| {
            let name = event["event"].as_str().unwrap();
            let data = &event["data"];
            let node = data["node_id"].as_str().unwrap_or_default();
            match name {
                "message" => format!("{:?}", event["answer"].as_str().unwrap()),
                "text_chunk" => format!("{:?}", data["text"].as_str().unwrap()),
                "node_started" => format!("+{node}"),
                "node_finished" => match data["status"].as_str().unwrap() {
                    "succeeded" => format!("-{node}"),
                    status => format!("-{node}:{status}"),
                },
                "node_retry" => format!("~{node}"),
                "iteration_started" => format!("[{node}"),
                "iteration_next" => format!("#{}", data["index"]),
                "iteration_completed" => match data["status"].as_str().unwrap() {
                    "succeeded" => format!("{node}]"),
                    status => format!("{node}:{status}]"),
                },
                "workflow_started" => "(".to_owned(),
                "workflow_finished" => format!(") {}", data["status"].as_str().unwrap()),
                other => other.to_owned(),
            }
        };
        self.events.iter().map(short).collect::<Vec<_>>().join(" ")
    }

    /// Every event as JSON, one on each line, with measured times set to 0.
    pub(super) fn wire_events(&self) -> String {
        fn clear_times(value: &mut Value) {
            match value {
                Value::Object(members) => {
                    for (name, value) in members {
                        if ["elapsed_time", "latency", "time_to_first_token", "time_to_generate"]
                            .contains(&name.as_str())
                            && value.is_f64()
                        {
                            *value = 0.into();
                        }
                        clear_times(value);
                    }
                }
                Value::Array(items) => items.iter_mut().for_each(clear_times),
                _ => {}
            }
        }
        let clear = |event: &Value| {
            let mut event = event.clone();
            clear_times(&mut event);
            event.to_string()
        };
        self.events.iter().map(clear).collect::<Vec<_>>().join("\n")
    }

    /// The text of all `message` or `text_chunk` events.
    pub(super) fn streamed_text(&self) -> String {
        let text = |event: &Value| {
            let text = if event["event"] == "message" { &event["answer"] } else { &event["data"]["text"] };
            text.as_str().map(str::to_owned)
        };
        self.events
            .iter()
            .filter(|event| event["event"] == "message" || event["event"] == "text_chunk")
            .filter_map(text)
            .collect()
    }

    /// The `data` of the first event with this name and node.
    pub(super) fn event_data(&self, event: &str, node: &str) -> &Value {
        let found = self.events.iter().find(|json| json["event"] == event && json["data"]["node_id"] == node);
        &found.unwrap_or_else(|| panic!("no {event} of {node}"))["data"]
    }
}
