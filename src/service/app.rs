//! Apps: which a caller may see, their descriptions, and the inputs of their runs (contract section 4, step 10, and
//! section 6).
//!
//! The caller's membership of the workspace is checked before anything about an app is returned.

pub(crate) mod access_gate;
mod definition_memory;
mod input_schema;
pub(crate) mod inputs;
mod membership;
mod not_found;
mod parameters;
pub(crate) mod permitted;
pub(crate) mod run_files;
pub(crate) mod run_slots;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::{
    access_gate::{AccessGate, denied},
    definition_memory::DefinitionMemory,
    input_schema::input_schema,
    not_found::no_such_app,
    parameters::parameters,
};
use super::context::ServiceContext;
use crate::{
    domain::{
        Code, Error, Result,
        app::{
            App, AppMode, Definition,
            description::{AppDescription, AppInfo, DescriptionFields},
            mode::AppStatus,
            stored_app::{AppDetail, StoredApp},
            summary::{AppFilter, AppSummary},
        },
        caller::Caller,
        error::Detail,
        file::limits::UploadLimits,
        id::{AccountId, AppId, WorkflowId, WorkspaceId},
        page::{Page, PageRequest},
        stored::StoredValue,
        subject::Subject,
    },
    memory::{MemoryLedger, MemoryPermit, Owner},
    ports::token_cache::TokenCache,
};

#[derive(Clone, Debug)]
pub struct AppSettings {
    /// `OPENAPI_STRICT_WORKSPACE_ID`: whether `workspace_id` is required wherever the specification requires it.
    pub strict_workspace_id: bool,
    /// The limits of uploads, which descriptions contain.
    pub uploads: UploadLimits,
}

/// A query of a workspace's apps, as the caller sent it.
#[derive(Clone, Copy, Debug)]
pub struct ListApps<'a> {
    pub workspace_id: Option<&'a str>,
    pub mode: Option<&'a str>,
    /// A substring of the name, or an id.
    pub name: Option<&'a str>,
    /// The exact name of a tag.
    pub tag: Option<&'a str>,
    pub page: PageRequest,
}

#[derive(Clone)]
pub struct Apps {
    context: ServiceContext,
    token_cache: Arc<dyn TokenCache>,
    access: AccessGate,
    memory: MemoryLedger,
    settings: Arc<AppSettings>,
}

impl Apps {
    /// `memory` has the memory of definitions that are read.
    pub fn new(
        context: ServiceContext,
        token_cache: Arc<dyn TokenCache>,
        access: AccessGate,
        memory: MemoryLedger,
        settings: AppSettings,
    ) -> Self {
        Self { context, token_cache, access, memory, settings: Arc::new(settings) }
    }

    /// A page of the apps that a workspace lists, newest first.
    ///
    /// Fails with `workspace_id_required`, `invalid_param`, `workspace_membership_revoked`.
    pub async fn list(&self, caller: &Caller, query: ListApps<'_>) -> Result<Page<AppSummary>> {
        let workspace = named(query.workspace_id).ok_or_else(workspace_id_required)?;
        let filter = AppFilter::parse(query.mode, query.name, query.tag)?;
        let account = account_of(caller)?;
        let workspace = self.workspace(account, workspace).await?;
        if self.access.enterprise().is_some() {
            return self.list_accessible(caller, account, workspace, &filter, query.page).await;
        }
        let (membership, page) = self.context.sql.list_apps(account, workspace, &filter, query.page).await?;
        self.check_membership(caller, membership, Some(workspace)).await?;
        Ok(page)
    }

    /// A page of the apps that the account may use. Only these are counted, so the modes of all apps of the workspace
    /// are read, with one request.
    async fn list_accessible(
        &self,
        caller: &Caller,
        account: AccountId,
        workspace: WorkspaceId,
        filter: &AppFilter,
        request: PageRequest,
    ) -> Result<Page<AppSummary>> {
        let (membership, mut candidates) = self.context.sql.list_candidates(account, workspace, filter).await?;
        self.check_membership(caller, membership, Some(workspace)).await?;
        let accessible = self.access.filter(account, std::mem::take(&mut candidates.ids)).await?;
        let offset = usize::try_from(request.offset()).unwrap_or(usize::MAX);
        let ids: Vec<_> = accessible.iter().copied().skip(offset).take(request.limit as usize).collect();
        let data = self.context.sql.list_apps_of_candidates(workspace, &candidates, &ids).await?;
        Ok(Page { request, total: accessible.len() as u64, data })
    }

    /// The description of an app. `target` is its id, or its exact name in the workspace.
    ///
    /// Fails with `workspace_id_required` in strict deployments, `workspace_membership_revoked`, `not_found`,
    /// `ambiguous_app_name`.
    pub async fn describe(
        &self,
        caller: &Caller,
        target: &str,
        workspace_id: Option<&str>,
        fields: DescriptionFields,
    ) -> Result<AppDescription> {
        let account = account_of(caller)?;
        let (id, workspace) = if let Ok(id) = target.parse() {
            (id, self.optional_workspace(account, workspace_id).await?)
        } else {
            let Some(workspace) = self.optional_workspace(account, workspace_id).await? else {
                self.context.require_active(account).await?;
                return Err(Error::not_found("App not found by this id. To look it up by name, pass workspace_id."));
            };
            (self.id_of_name(caller, account, workspace, target).await?, Some(workspace))
        };
        let wanted = detail_of(fields);
        let (app, _memory) = self.visible(caller, account, id, workspace, wanted).await?;
        Ok(self.description(&app, fields))
    }

    /// An app that the caller may run, with its published definition, or with the requested version of its graph, and
    /// the memory of the definition. `target` is its id, or its exact name in the workspace or, without one, in the
    /// account's only workspace.
    ///
    /// Fails with `workspace_id_required` in strict deployments, `workspace_membership_revoked`, `not_found`,
    /// `invalid_param` for a version that is not a UUID, `mode_not_runnable`, `app_unavailable` when nothing is
    /// published.
    pub async fn find_runnable(
        &self,
        caller: &Caller,
        target: &str,
        workspace_id: Option<&str>,
        workflow_id: Option<&str>,
    ) -> Result<(App, Definition, MemoryPermit)> {
        let account = account_of(caller)?;
        let mut workspace = self.optional_workspace(account, workspace_id).await?;
        let version = requested_version(workflow_id)?;
        let id = if let Ok(id) = target.parse() {
            id
        } else {
            if workspace.is_none() {
                workspace = self.only_workspace(account).await?;
            }
            let Some(workspace) = workspace else {
                return Err(self.not_found_error(caller, account, None).await?.with_hint(NAME_NEEDS_WORKSPACE));
            };
            self.id_of_name(caller, account, workspace, target).await?
        };
        let wanted = version.map_or(AppDetail::Run, AppDetail::Version);
        let (app, memory) = self.visible(caller, account, id, workspace, wanted).await?;
        let (app, definition) = runnable_definition(app, version)?;
        Ok((app, definition, memory))
    }

    /// The app of a run or of a form, if the caller may use it. `app_id` is its id. Fails with
    /// `workspace_membership_revoked`, `not_found`, `app_access_denied`, `mode_not_runnable`.
    pub(super) async fn find_used(&self, caller: &Caller, app_id: &str) -> Result<App> {
        let app = match caller.token.subject {
            Subject::Account { id: account, .. } => {
                let Ok(id) = app_id.parse() else { return Err(self.not_found_error(caller, account, None).await?) };
                self.visible(caller, account, id, None, AppDetail::Outline).await?.0
            }
            Subject::ExternalSso { .. } => self.permitted(caller, app_id, AppDetail::Outline).await?.0,
        };
        app.runnable().ok_or_else(|| mode_not_runnable(&app))
    }

    /// An app with one version of its graph, for a run that continues. Its caller was checked when it began. Fails with
    /// `not_found` and `app_unavailable`.
    pub(super) async fn find_version(
        &self,
        id: AppId,
        workflow_id: WorkflowId,
    ) -> Result<(App, Definition, MemoryPermit)> {
        let wanted = AppDetail::Version(workflow_id);
        let mut memory = DefinitionMemory::reserve(&self.memory, Owner::of(&id.0), wanted)?;
        let mut admit = |text: &str| memory.admit(text);
        let app = self.context.sql.find_app_for_external(id, wanted, &mut admit).await?;
        let app = app.filter(|app| app.status.is(AppStatus::Normal) && app.enable_api).ok_or_else(no_such_app)?;
        let (app, definition) = runnable_definition(app, Some(workflow_id))?;
        Ok((app, definition, memory.into_permit()))
    }

    /// The app, if the caller may see it, and the memory of its definition, which is reserved before it is read and
    /// before it is parsed. The checks are in the order of the contract.
    async fn visible(
        &self,
        caller: &Caller,
        account: AccountId,
        id: AppId,
        workspace: Option<WorkspaceId>,
        wanted: AppDetail,
    ) -> Result<(StoredApp, MemoryPermit)> {
        let mut memory = DefinitionMemory::reserve(&self.memory, Owner::of(&account.0), wanted)?;
        let mut admit = |text: &str| memory.admit(text);
        let (membership, app) = self.context.sql.find_app(account, id, workspace, wanted, &mut admit).await?;
        self.check_membership(caller, membership, workspace).await?;
        let in_workspace = |app: &StoredApp| workspace.is_none_or(|workspace| workspace == app.workspace_id);
        let app = app
            .filter(|app| app.status.is(AppStatus::Normal) && app.enable_api && in_workspace(app))
            .ok_or_else(no_such_app)?;
        self.access.check(&caller.token.subject, &app).await?;
        Ok((app, memory.into_permit()))
    }

    /// The id of the only app with this name. The membership is checked first.
    async fn id_of_name(
        &self,
        caller: &Caller,
        account: AccountId,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<AppId> {
        let (membership, found) = self.context.sql.find_apps_named(account, workspace, name).await?;
        self.check_membership(caller, membership, Some(workspace)).await?;
        match found.as_slice() {
            [] => Err(no_such_app()),
            // Describing it checks the access.
            [(id, _)] => Ok(*id),
            several => {
                // The error lists only apps that the caller may use.
                let ids = several.iter().map(|(id, _)| *id).collect();
                let accessible = self.access.filter(account, ids).await?;
                let several: Vec<_> = several.iter().filter(|(id, _)| accessible.contains(id)).cloned().collect();
                match several.as_slice() {
                    [] => Err(denied()),
                    [(id, _)] => Ok(*id),
                    several => Err(ambiguous(several)),
                }
            }
        }
    }

    fn description(&self, app: &StoredApp, fields: DescriptionFields) -> AppDescription {
        // Without a definition both blocks are empty.
        let definition = app.definition.as_ref();
        let mode = app.mode.known().unwrap_or(AppMode::Workflow);
        AppDescription {
            info: fields.info.then(|| info(app)),
            parameters: fields.parameters.then(|| parameters(definition, &self.settings.uploads)),
            input_schema: fields.input_schema.then(|| input_schema(mode, definition)),
        }
    }
}

/// The hint about a name without a workspace.
const NAME_NEEDS_WORKSPACE: &str = "To look an app up by its name, pass workspace_id.";

/// What describing these fields reads.
fn detail_of(fields: DescriptionFields) -> AppDetail {
    if fields.needs_definition() { AppDetail::Published } else { AppDetail::Outline }
}

fn requested_version(workflow_id: Option<&str>) -> Result<Option<WorkflowId>> {
    let version = named(workflow_id).map(str::parse).transpose();
    version.map_err(|_| Error::invalid_param("body", "workflow_id", "must be a UUID"))
}

fn mode_not_runnable(app: &StoredApp) -> Error {
    Error::new(Code::ModeNotRunnable, format!("Apps of mode {} cannot be run.", app.mode))
}

/// The app with the definition that a run follows.
fn runnable_definition(app: StoredApp, version: Option<WorkflowId>) -> Result<(App, Definition)> {
    let runnable = app.runnable().ok_or_else(|| mode_not_runnable(&app))?;
    match app.definition {
        Some(definition) => Ok((runnable, definition)),
        None if version.is_some() && runnable.mode.has_graph() => {
            Err(Error::not_found("This app has no such version."))
        }
        None => Err(Error::new(Code::AppUnavailable, "This app has no published version that can be run.")
            .with_hint("Publish it in Dify's editor, or import a complete DSL file.")),
    }
}

fn info(app: &StoredApp) -> AppInfo {
    AppInfo {
        id: app.id,
        name: app.name.clone(),
        mode: app.mode.clone(),
        description: app.description.clone(),
        tags: app.tags.clone(),
        author: app.author_name.clone().unwrap_or_default(),
        updated_at: app.updated_at,
        service_api_enabled: app.enable_api,
        is_agent: match app.mode.known() {
            Some(AppMode::AgentChat) => true,
            Some(AppMode::Chat) => app.agent_enabled,
            _ => false,
        },
    }
}

/// Reads an empty text as a missing one.
fn named(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// The account of a token. The pipeline rejects external identities on these routes.
fn account_of(caller: &Caller) -> Result<AccountId> {
    caller.token.subject.account_id().ok_or_else(no_such_app)
}

fn workspace_id_required() -> Error {
    Error::new(Code::WorkspaceIdRequired, "workspace_id is required.")
        .with_hint("GET /openapi/v1/workspaces lists your workspaces.")
        .with_detail(Detail {
            kind: "missing",
            loc: vec!["query".to_owned(), "workspace_id".to_owned()],
            msg: "Field required".to_owned(),
        })
}

/// Lists the apps of the same name, so that the caller can choose an id.
fn ambiguous(apps: &[(AppId, StoredValue<AppMode>)]) -> Error {
    let listed = apps.iter().map(|(id, mode)| format!("{id} ({mode})")).collect::<Vec<_>>().join(", ");
    let error = Error::new(Code::AmbiguousAppName, format!("Several apps have this name: {listed}."))
        .with_hint("Use the id of the one you mean.");
    apps.iter().fold(error, |error, (id, mode)| {
        error.with_detail(Detail {
            kind: "ambiguous",
            loc: vec!["path".to_owned(), "app_id".to_owned()],
            msg: format!("{id} ({mode})"),
        })
    })
}
