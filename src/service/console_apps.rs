//! Apps in the console of a standalone server: what provisioning scripts list, create, publish and enable. Everything
//! is in the current workspace of the signed-in account.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{app_import::checked_overrides, context::ServiceContext};
use crate::{
    domain::{
        Code, Error, Result,
        app::{
            AppMode,
            console_app::ConsoleApp,
            draft::{MAX_VERSION_COMMENT, MAX_VERSION_NAME, PublishedVersion, VersionMark, draft_hash},
            file::{AppBody, AppFile, GraphBody},
            import::AppOverrides,
            summary::AppFilter,
        },
        caller::ConsoleCaller,
        id::{AppId, WorkspaceId},
        member::RequiredRole,
        page::{Page, PageRequest},
    },
    memory::{MemoryKind, MemoryLedger, Owner},
    ports::app_file_format::{AppFileFormat, AppFileReading},
    telemetry::audit::console_apps::{ConsoleAppEvent, ConsoleAppEventKind},
};

/// The longest description of an app that is created here, in characters, as in Dify.
const MAX_DESCRIPTION: usize = 400;
/// The icon of an app that is created without one, as in Dify.
const ICON: (&str, &str, &str) = ("emoji", "🤖", "#FFEAD5");

/// A saved draft.
#[derive(Clone, Debug)]
pub struct SavedDraft {
    pub hash: String,
    pub updated_at: DateTime<Utc>,
}

/// Manages apps.
#[derive(Clone)]
pub struct ConsoleApps {
    context: ServiceContext,
    format: Arc<dyn AppFileFormat>,
    /// Has the memory of drafts while they are checked.
    memory: MemoryLedger,
}

impl ConsoleApps {
    pub fn new(context: ServiceContext, format: Arc<dyn AppFileFormat>, memory: MemoryLedger) -> Self {
        Self { context, format, memory }
    }

    /// A page of apps, newest first, whether or not they are published and enabled. For every member.
    pub async fn list(
        &self,
        caller: &ConsoleCaller,
        filter: &AppFilter,
        request: PageRequest,
    ) -> Result<Page<ConsoleApp>> {
        let workspace = self.workspace(caller, RequiredRole::Any).await?;
        self.context.sql.list_console_apps(workspace, filter, request).await
    }

    /// One app. For every member.
    pub async fn get(&self, caller: &ConsoleCaller, app: &str) -> Result<ConsoleApp> {
        let workspace = self.workspace(caller, RequiredRole::Any).await?;
        self.context.sql.get_console_app(workspace, app_id(app)?).await
    }

    /// Creates an app without a graph, which a draft gives it. For editors.
    pub async fn create(&self, caller: &ConsoleCaller, mode: &str, values: AppOverrides) -> Result<ConsoleApp> {
        let workspace = self.workspace(caller, RequiredRole::Editor).await?;
        let mode = AppMode::parse(mode).ok_or_else(|| {
            let modes = "must be one of chat, agent-chat, advanced-chat, completion and workflow";
            Error::invalid_param("body", "mode", modes)
        })?;
        if values.name.is_none() {
            return Err(Error::missing("name"));
        }
        let values = checked_overrides(values)?;
        if values.description.as_ref().is_some_and(|text| text.chars().count() > MAX_DESCRIPTION) {
            let message = format!("must have at most {MAX_DESCRIPTION} characters");
            return Err(Error::invalid_param("body", "description", message));
        }
        let mut file = empty_app(mode);
        values.apply(&mut file);
        let now = self.context.clock.now();
        let id = self.context.sql.create_app(workspace, &file, caller.account.id, now).await?;
        record(caller, workspace, ConsoleAppEventKind::Created { app: id });
        self.context.sql.get_console_app(workspace, id).await
    }

    /// Makes an app callable, or stops that. For administrators.
    pub async fn set_api(&self, caller: &ConsoleCaller, app: &str, enabled: bool) -> Result<ConsoleApp> {
        let workspace = self.workspace(caller, RequiredRole::Admin).await?;
        let (id, now) = (app_id(app)?, self.context.clock.now());
        self.context.sql.set_app_api(workspace, id, enabled, caller.account.id, now).await?;
        record(caller, workspace, ConsoleAppEventKind::ApiChanged { app: id, enabled });
        self.context.sql.get_console_app(workspace, id).await
    }

    /// Saves the draft of an app, checked as an imported file is. `seen` is the hash of the draft that it replaces. For
    /// editors.
    pub async fn save_draft(
        &self,
        caller: &ConsoleCaller,
        app: &str,
        body: GraphBody,
        seen: Option<&str>,
    ) -> Result<SavedDraft> {
        let workspace = self.workspace(caller, RequiredRole::Editor).await?;
        let id = app_id(app)?;
        let mode = self.context.sql.get_console_app(workspace, id).await?.mode.known();
        let body = match mode.filter(|mode| mode.has_graph()) {
            Some(mode) => self.checked_graph(caller, mode, body).await?,
            None => return Err(Error::not_found("Apps of this mode have no draft.")),
        };
        let now = self.context.clock.now();
        self.context.sql.save_draft(workspace, id, &body, seen, caller.account.id, now).await?;
        record(caller, workspace, ConsoleAppEventKind::DraftSaved { app: id });
        Ok(SavedDraft { hash: draft_hash(&body), updated_at: now })
    }

    /// Publishes the draft of an app. An app that was imported is published already, and only its version gets the
    /// mark. For editors.
    pub async fn publish(&self, caller: &ConsoleCaller, app: &str, mark: VersionMark<'_>) -> Result<PublishedVersion> {
        let workspace = self.workspace(caller, RequiredRole::Editor).await?;
        for (member, text, max) in
            [("marked_name", mark.name, MAX_VERSION_NAME), ("marked_comment", mark.comment, MAX_VERSION_COMMENT)]
        {
            if text.chars().count() > max {
                return Err(Error::invalid_param("body", member, format!("must have at most {max} characters")));
            }
            if text.contains('\0') {
                return Err(Error::invalid_param("body", member, "must not contain NUL"));
            }
        }
        let (id, now) = (app_id(app)?, self.context.clock.now());
        let published = self.context.sql.publish_draft(workspace, id, mark, caller.account.id, now).await?;
        record(caller, workspace, ConsoleAppEventKind::Published { app: id, version: published.id });
        Ok(published)
    }

    async fn workspace(&self, caller: &ConsoleCaller, required: RequiredRole) -> Result<WorkspaceId> {
        Ok(self.context.current_membership(caller, required).await?.workspace_id)
    }

    /// Checks a graph as a file with it is checked, outside of the threads that serve requests.
    async fn checked_graph(&self, caller: &ConsoleCaller, mode: AppMode, body: GraphBody) -> Result<GraphBody> {
        let file = AppFile { name: "draft".to_owned(), body: AppBody::Graph(body), ..empty_app(mode) };
        let text = self.format.write(&file)?;
        let mut memory = self.memory.permit(MemoryKind::Json, Some(Owner::of(&caller.account.id.0)));
        memory.resize(self.format.weight(&text) + text.len())?;
        let format = Arc::clone(&self.format);
        let reading = tokio::task::spawn_blocking(move || {
            let read = format.read(&text, false);
            drop(memory);
            read
        });
        match reading.await.map_err(Error::internal)? {
            Ok(AppFileReading::Read(read)) => match read.app.body {
                AppBody::Graph(body) => Ok(body),
                AppBody::Model(_) => Err(Error::internal("a graph was read as something else")),
            },
            Ok(AppFileReading::Newer(_)) => Err(Error::internal("a file of this version is newer")),
            Err(reason) => Err(Error::new(Code::InvalidRequest, reason.0)),
        }
    }
}

fn record(caller: &ConsoleCaller, tenant_id: WorkspaceId, kind: ConsoleAppEventKind) {
    ConsoleAppEvent { tenant_id, subject: &caller.account.email, kind }.record();
}

pub(super) fn app_id(text: &str) -> Result<AppId> {
    text.parse().map_err(|_| Error::not_found("There is no such app."))
}

/// An app with the defaults of Dify.
fn empty_app(mode: AppMode) -> AppFile {
    let (icon_type, icon, background) = ICON;
    let body = if mode.has_graph() {
        AppBody::Graph(GraphBody {
            graph: json!({"nodes": [], "edges": []}),
            features: json!({}),
            environment_variables: Vec::new(),
            conversation_variables: Vec::new(),
        })
    } else {
        AppBody::Model(default_config(mode))
    };
    AppFile {
        name: String::new(),
        mode,
        description: String::new(),
        icon: Some(icon.to_owned()),
        icon_type: Some(icon_type.to_owned()),
        icon_background: Some(background.to_owned()),
        use_icon_as_answer_icon: false,
        body,
    }
}

/// The model and the prompt that Dify gives to a new app where no default model is set up.
fn default_config(mode: AppMode) -> Map<String, Value> {
    let model = json!({"provider": "openai", "name": "gpt-4o", "mode": "chat", "completion_params": {}});
    let mut config = Map::from_iter([("model".to_owned(), model)]);
    if mode == AppMode::Completion {
        let query = json!([{"paragraph": {"label": "Query", "variable": "query", "required": true, "default": ""}}]);
        config.insert("user_input_form".to_owned(), query);
        config.insert("pre_prompt".to_owned(), json!("{{query}}"));
    }
    config
}
