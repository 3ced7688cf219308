//! `AppService`.

use std::pin::Pin;

use futures_util::{Stream, stream};
use tonic::{Request, Response, Status, async_trait};

use super::{
    json::Object,
    proto,
    reply::Streamed,
    request::{Deadline, Prefers, caller},
    services::Rpc,
};
use crate::{
    domain::{
        Code, Error, Result as DomainResult,
        app::{
            description::{AppInfo, DescriptionFields},
            summary::AppSummary,
        },
        page::PageRequest,
    },
    service::{
        app::ListApps,
        run::{Run, Running},
    },
    telemetry::request_id,
};

/// Apps of a page by default.
const DEFAULT_LIMIT: u32 = 20;

type Responses = Pin<Box<dyn Stream<Item = Result<proto::RunAppResponse, Status>> + Send>>;

#[async_trait]
impl proto::app_service_server::AppService for Rpc {
    type RunAppStream = Responses;

    async fn list_apps(
        &self,
        request: Request<proto::ListAppsRequest>,
    ) -> Result<Response<proto::ListAppsResponse>, Status> {
        let asked = request.get_ref();
        let page = PageRequest::new(asked.page, asked.limit, DEFAULT_LIMIT)?;
        let query = ListApps {
            workspace_id: asked.workspace_id.as_deref(),
            mode: asked.mode.as_deref(),
            name: asked.name.as_deref(),
            tag: asked.tag.as_deref(),
            page,
        };
        let found = self.services.apps.list(caller(&request)?, query).await?;
        Ok(Response::new(proto::ListAppsResponse {
            page: i32::try_from(page.page).unwrap_or(i32::MAX),
            limit: i32::try_from(page.limit).unwrap_or(i32::MAX),
            total: i64::try_from(found.total).unwrap_or(i64::MAX),
            has_more: found.has_more(),
            data: found.data.into_iter().map(Into::into).collect(),
        }))
    }

    async fn describe_app(
        &self,
        request: Request<proto::DescribeAppRequest>,
    ) -> Result<Response<proto::DescribeAppResponse>, Status> {
        let asked = request.get_ref();
        if asked.id.is_empty() {
            // Only over gRPC: a path always has an id.
            return Err(Error::not_found("There is no such app.").into());
        }
        let fields = DescriptionFields::parse(Some(&asked.fields.join(",")))?;
        let found =
            self.services.apps.describe(caller(&request)?, &asked.id, asked.workspace_id.as_deref(), fields).await?;
        Ok(Response::new(proto::DescribeAppResponse {
            info: found.info.map(Into::into),
            parameters: found.parameters.map(Object::from),
            input_schema: found.input_schema.map(Object::from),
        }))
    }

    async fn run_app(&self, request: Request<proto::RunAppRequest>) -> Result<Response<Responses>, Status> {
        let streamed = is_streamed(&request)?;
        let deadline = request.extensions().get::<Deadline>().copied();
        let caller = caller(&request)?.clone();
        let run = run_of(request.into_inner());
        let running = self.services.runs.start(&caller, run).await?;
        if streamed {
            let mut response = Response::new(responses(running, deadline));
            response.extensions_mut().insert(Streamed);
            return Ok(response);
        }
        let body = running.collect().await?;
        let event = body.get("event").and_then(|event| event.as_str()).unwrap_or("workflow_finished").to_owned();
        let data = Some(Object::from(match body {
            serde_json::Value::Object(members) => members,
            _ => return Err(Error::internal("a body that is not an object").into()),
        }));
        Ok(Response::new(Box::pin(stream::once(std::future::ready(Ok(proto::RunAppResponse { event, data }))))))
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

/// Whether the response is a stream: by `response_mode` or, without it, by the preference of the door.
fn is_streamed(request: &Request<proto::RunAppRequest>) -> DomainResult<bool> {
    match request.get_ref().response_mode.as_deref() {
        Some("streaming") => Ok(true),
        Some("blocking") => Ok(false),
        Some(_) => Err(Error::invalid_param("body", "response_mode", "must be `streaming` or `blocking`")),
        None => Ok(request.extensions().get() != Some(&Prefers::Json)),
    }
}

fn run_of(request: proto::RunAppRequest) -> Run {
    Run {
        app_id: request.id,
        workspace_id: request.workspace_id,
        inputs: request.inputs.map(Object::into_members),
        query: request.query,
        files: request.files.into_iter().map(Object::into_members).collect(),
        conversation_id: request.conversation_id,
        auto_generate_name: request.auto_generate_name.unwrap_or(true),
        workflow_id: request.workflow_id,
    }
}

/// The events of a run, until its end or the caller's deadline. Dropping the stream cancels the run.
fn responses(running: Running, deadline: Option<Deadline>) -> Responses {
    let id = request_id::current();
    Box::pin(stream::unfold(Some((running, id)), move |open| async move {
        let (mut running, id) = open?;
        let next = match deadline {
            None => running.next().await,
            Some(Deadline(at)) => tokio::time::timeout_at(at.into(), running.next()).await.unwrap_or_else(|_| {
                Some(Err(Error::new(Code::DeadlineExceeded, "The run did not finish before the caller's deadline.")))
            }),
        };
        match next? {
            Ok(event) => {
                let data = Some(Object::from(event.json));
                Some((Ok(proto::RunAppResponse { event: event.event.into_owned(), data }), Some((running, id))))
            }
            // Logged under the request's id.
            Err(error) => Some((Err(request_id::scope(id, async { Status::from(error) }).await), None)),
        }
    }))
}
