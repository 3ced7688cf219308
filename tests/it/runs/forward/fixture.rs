//! A forwarding runtime on a database of its own.

use std::{sync::Arc, time::Duration};

use dify_openapi::testing::{
    domain::{App, AppId, AppMode, Definition, ModelConfig, ModelConfigId, Secret, WorkspaceId},
    http_client::HttpClients,
    memory::MemoryLedger,
    ports::{RunRequest, RunStream, SystemClock, SystemEntropy},
    runtime::{DifyRuntime, DifySettings},
    store::{SqlOptions, SqlStore},
};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use serde_json::Value;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::fake_dify::FakeDify;
use crate::support::server::keys;

/// A forwarding runtime, its database and its app.
pub struct Fixture {
    pub runtime: Arc<DifyRuntime>,
    /// The tasks of runs and stops.
    pub tasks: TaskTracker,
    pub app: AppId,
    workspace: WorkspaceId,
    database: DatabaseConnection,
    directory: tempfile::TempDir,
}

/// Settings with short timeouts.
pub fn settings(url: &str) -> DifySettings {
    DifySettings {
        url: url.parse().unwrap(),
        connect_timeout: Duration::from_secs(2),
        first_byte_timeout: Duration::from_secs(10),
        run_timeout: Duration::from_mins(1),
        end: tokio_util::sync::CancellationToken::new(),
        max_connections: 100,
        metrics: std::sync::Arc::default(),
        memory: MemoryLedger::unlimited(),
        clients: HttpClients::default(),
    }
}

impl Fixture {
    /// A runtime that forwards to a fake Dify.
    pub async fn new(upstream: &FakeDify) -> Self {
        Self::with_settings(settings(&upstream.url)).await
    }

    pub async fn with_settings(settings: DifySettings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", directory.path().join("runs.db").display());
        let sql = SqlStore::connect(SqlOptions::new(Secret::new(url.clone()), 8, keys())).await.unwrap();
        sql.migrate_up(false).await.unwrap();
        let database = Database::connect(url).await.unwrap();
        let (app, workspace) = (AppId(Uuid::new_v4()), WorkspaceId(Uuid::new_v4()));
        let insert = format!(
            "INSERT INTO apps (id, tenant_id, name, mode, enable_site, enable_api) \
             VALUES ('{app}', '{workspace}', 'A', 'chat', 1, 1)"
        );
        database.execute_unprepared(&insert).await.unwrap();
        let tasks = TaskTracker::new();
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let runtime = DifyRuntime::new(settings, Arc::new(sql), clock, entropy, tasks.clone()).unwrap();
        Self { runtime: Arc::new(runtime), tasks, app, workspace, database, directory }
    }

    /// A second runtime on the same database.
    pub async fn replica(&self, settings: DifySettings) -> DifyRuntime {
        let url = format!("sqlite://{}?mode=rwc", self.directory.path().join("runs.db").display());
        let sql = SqlStore::connect(SqlOptions::new(Secret::new(url), 8, keys())).await.unwrap();
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        DifyRuntime::new(settings, Arc::new(sql), clock, entropy, self.tasks.clone()).unwrap()
    }

    /// A request to run the app as an app of this mode.
    pub fn run(&self, mode: AppMode) -> RunRequest {
        RunRequest {
            app: App { id: self.app, workspace_id: self.workspace, mode, max_active_requests: None },
            definition: Definition::Model(Box::new(no_config())),
            user: "caller-1".to_owned(),
            account: None,
            external_user: None,
            inputs: serde_json::Map::new(),
            query: Some("Hello".to_owned()),
            files: Vec::new(),
            uploads: Vec::new(),
            conversation_id: None,
            auto_generate_name: true,
            workflow_id: None,
            stop: tokio_util::sync::CancellationToken::new(),
        }
    }

    /// The API keys of the app.
    pub async fn keys(&self) -> Vec<String> {
        let select = format!("SELECT token FROM api_tokens WHERE app_id = '{}' AND type = 'app'", self.app);
        let rows = self.database.query_all_raw(sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, select));
        rows.await.unwrap().iter().map(|row| row.try_get("", "token").unwrap()).collect()
    }

    /// Replaces all API keys of the app.
    pub async fn replace_key(&self, key: &str) {
        let (app, id) = (self.app, Uuid::new_v4());
        let statements = format!(
            "DELETE FROM api_tokens; \
             INSERT INTO api_tokens (id, app_id, type, token) VALUES ('{id}', '{app}', 'app', '{key}')"
        );
        self.database.execute_unprepared(&statements).await.unwrap();
    }
}

/// Reads a stream to its end: the events, and the code of the error that ends it.
pub async fn collect(mut stream: RunStream) -> (Vec<Value>, Option<&'static str>) {
    let mut events = Vec::new();
    while let Some(item) = stream.next().await {
        match item {
            Ok(event) => {
                let json: Value = serde_json::from_slice(&event.json).unwrap();
                assert_eq!(json["event"], *event.event);
                events.push(json);
            }
            Err(error) => {
                assert!(stream.next().await.is_none(), "an error is the last item");
                return (events, Some(error.code().as_str()));
            }
        }
    }
    (events, None)
}

fn no_config() -> ModelConfig {
    ModelConfig {
        dataset_configs: Value::Null,
        id: ModelConfigId(Uuid::nil()),
        model: Value::Null,
        user_input_form: Value::Null,
        pre_prompt: String::new(),
        prompt_type: String::new(),
        chat_prompt_config: Value::Null,
        completion_prompt_config: Value::Null,
        opening_statement: String::new(),
        suggested_questions: Value::Null,
        suggested_questions_after_answer: Value::Null,
        more_like_this: Value::Null,
        speech_to_text: Value::Null,
        text_to_speech: Value::Null,
        retriever_resource: Value::Null,
        sensitive_word_avoidance: Value::Null,
        agent_mode: Value::Null,
        external_data_tools: Value::Null,
        file_upload: Value::Null,
    }
}
