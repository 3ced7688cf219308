//! `AppService`.

use serde_json::json;
use tonic::{Request, Response, Status, async_trait};

use super::{
    app_run::{self, Responses, RunMode},
    hint::{DESCRIBE_APP, LIST_APPS},
    json::Object,
    proto,
    request::{caller, client_generation},
    services::Rpc,
};
use crate::{
    domain::{
        Error,
        app::{
            description::{AppDescription, AppInfo, DescriptionFields},
            summary::{AppFilter, AppSummary},
        },
        page::PageRequest,
        violations::both,
    },
    service::{app::ListApps, run::Run},
};

/// Apps of a page by default.
pub(super) const DEFAULT_LIMIT: u32 = 20;

#[async_trait]
impl proto::app_service_server::AppService for Rpc {
    type RunAppStream = Responses;

    async fn list_apps(
        &self,
        request: Request<proto::ListAppsRequest>,
    ) -> Result<Response<proto::ListAppsResponse>, Status> {
        let message = request.get_ref();
        let (page, _) = both(
            PageRequest::new(message.page, message.limit, DEFAULT_LIMIT),
            AppFilter::parse(message.mode.as_deref(), message.name.as_deref(), message.tag.as_deref()),
        )?;
        let query = ListApps {
            workspace_id: message.workspace_id.as_deref(),
            mode: message.mode.as_deref(),
            name: message.name.as_deref(),
            tag: message.tag.as_deref(),
            page,
        };
        let found = self.services.apps.list(caller(&request)?, query).await?;
        let hints = proto::Hint::list(&request, || {
            let describe = found.data.first().map(|app| {
                proto::Hint::new("Show an app and its form", DESCRIBE_APP, &[("id", json!(app.id.to_string()))])
            });
            let query = [
                ("workspace_id", json!(message.workspace_id)),
                ("mode", json!(message.mode)),
                ("name", json!(message.name)),
                ("tag", json!(message.tag)),
            ];
            let next = found.has_more().then(|| proto::Hint::next_page(LIST_APPS, page.page, page.limit, &query));
            describe.into_iter().chain(next).collect()
        });
        Ok(Response::new(proto::ListAppsResponse {
            page: i32::try_from(page.page).unwrap_or(i32::MAX),
            limit: i32::try_from(page.limit).unwrap_or(i32::MAX),
            total: i64::try_from(found.total).unwrap_or(i64::MAX),
            has_more: found.has_more(),
            data: found.data.into_iter().map(Into::into).collect(),
            hints,
        }))
    }

    async fn describe_app(
        &self,
        request: Request<proto::DescribeAppRequest>,
    ) -> Result<Response<proto::DescribeAppResponse>, Status> {
        let message = request.get_ref();
        if message.id.is_empty() {
            // Only over gRPC: a path always has an id.
            return Err(Error::not_found("There is no such app.").into());
        }
        let fields = DescriptionFields::parse(Some(&message.fields.join(",")))?;
        let found = self
            .services
            .apps
            .describe(caller(&request)?, &message.id, message.workspace_id.as_deref(), fields)
            .await?;
        Ok(Response::new(describe_response(found)))
    }

    async fn run_app(&self, request: Request<proto::RunAppRequest>) -> Result<Response<Responses>, Status> {
        let mode = RunMode::of(&request, request.get_ref().response_mode.as_deref())?;
        let caller = caller(&request)?.clone();
        let outlives_reader = client_generation(&request).leaves_runs_going();
        let run = run_of(request.into_inner(), outlives_reader);
        app_run::respond(&self.services.runs, &caller, run, mode).await
    }
}

pub(super) fn describe_response(description: AppDescription) -> proto::DescribeAppResponse {
    proto::DescribeAppResponse {
        info: description.info.map(Into::into),
        parameters: description.parameters.map(Object::from),
        input_schema: description.input_schema.map(Object::from),
    }
}

fn tags(names: Vec<String>) -> Vec<proto::Tag> {
    names.into_iter().map(|name| proto::Tag { name }).collect()
}

impl From<AppSummary> for proto::App {
    fn from(app: AppSummary) -> Self {
        Self {
            id: app.id.to_string(),
            name: app.name,
            description: app.description,
            mode: app.mode.as_str().to_owned(),
            tags: tags(app.tags),
            updated_at: Some(app.updated_at.into()),
            created_by_name: app.created_by_name,
            workspace_id: Some(app.workspace_id.to_string()),
            workspace_name: Some(app.workspace_name),
        }
    }
}

impl From<AppInfo> for proto::AppInfo {
    fn from(info: AppInfo) -> Self {
        Self {
            id: info.id.to_string(),
            name: info.name,
            mode: info.mode.to_string(),
            description: info.description,
            tags: tags(info.tags),
            author: info.author,
            updated_at: Some(info.updated_at.into()),
            service_api_enabled: info.service_api_enabled,
            is_agent: info.is_agent,
        }
    }
}

fn run_of(request: proto::RunAppRequest, outlives_reader: bool) -> Run {
    Run {
        app_id: request.id,
        workspace_id: request.workspace_id,
        inputs: request.inputs.map(Object::into_members),
        query: request.query,
        files: request.files.into_iter().map(Object::into_members).collect(),
        conversation_id: request.conversation_id,
        auto_generate_name: request.auto_generate_name.unwrap_or(true),
        workflow_id: request.workflow_id,
        mode: request.mode,
        outlives_reader,
    }
}
