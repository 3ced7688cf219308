//! `PermittedExternalAppService`.

use tonic::{Request, Response, Status, async_trait};

use super::{
    app::{DEFAULT_LIMIT, describe_response},
    app_run::{self, Responses, RunMode},
    json::Object,
    proto,
    request::{caller, client_generation},
    services::Rpc,
};
use crate::{
    domain::{app::description::DescriptionFields, page::PageRequest},
    service::run::Run,
};

#[async_trait]
impl proto::permitted_external_app_service_server::PermittedExternalAppService for Rpc {
    type RunPermittedExternalAppStream = Responses;

    async fn list_permitted_external_apps(
        &self,
        request: Request<proto::ListPermittedExternalAppsRequest>,
    ) -> Result<Response<proto::ListPermittedExternalAppsResponse>, Status> {
        let query = request.get_ref();
        let page = PageRequest::new(query.page, query.limit, DEFAULT_LIMIT)?;
        let found = self.services.apps.list_permitted(query.mode.as_deref(), query.name.as_deref(), page).await?;
        Ok(Response::new(proto::ListPermittedExternalAppsResponse {
            page: i32::try_from(page.page).unwrap_or(i32::MAX),
            limit: i32::try_from(page.limit).unwrap_or(i32::MAX),
            total: i64::try_from(found.total).unwrap_or(i64::MAX),
            has_more: found.has_more,
            data: found.apps.into_iter().map(Into::into).collect(),
        }))
    }

    async fn get_permitted_external_app(
        &self,
        request: Request<proto::GetPermittedExternalAppRequest>,
    ) -> Result<Response<proto::DescribeAppResponse>, Status> {
        let query = request.get_ref();
        let fields = DescriptionFields::parse(Some(&query.fields.join(",")))?;
        let found = self.services.apps.describe_permitted(caller(&request)?, &query.id, fields).await?;
        Ok(Response::new(describe_response(found)))
    }

    async fn run_permitted_external_app(
        &self,
        request: Request<proto::RunPermittedExternalAppRequest>,
    ) -> Result<Response<Responses>, Status> {
        let mode = RunMode::of(&request, request.get_ref().response_mode.as_deref())?;
        let caller = caller(&request)?.clone();
        let outlives_reader = client_generation(&request).leaves_runs_going();
        let request = request.into_inner();
        let run = Run {
            app_id: request.id,
            workspace_id: None,
            inputs: request.inputs.map(Object::into_members),
            query: request.query,
            files: request.files.into_iter().map(Object::into_members).collect(),
            conversation_id: request.conversation_id,
            auto_generate_name: request.auto_generate_name.unwrap_or(true),
            workflow_id: request.workflow_id,
            mode: None,
            outlives_reader,
        };
        app_run::respond(&self.services.runs, &caller, run, mode).await
    }
}
