//! `ConsoleAppService`.

use serde_json::{Map, Value};
use tonic::{Request, Response, Status, async_trait};

use super::{
    json::Object,
    proto,
    reply::{created, success},
    request::console_caller,
    services::Rpc,
    tag::APP,
};
use crate::domain::{
    Error,
    app::{
        console_app::ConsoleApp, draft::VersionMark, file::GraphBody, import::AppOverrides, summary::AppFilter,
        tag::AppTag,
    },
    page::PageRequest,
};

/// Apps of a page by default.
const DEFAULT_LIMIT: u32 = 20;
/// The mode of a list that is not narrowed, in Dify's words.
const EVERY_MODE: &str = "all";

impl From<AppTag> for proto::ConsoleAppTag {
    fn from(tag: AppTag) -> Self {
        Self { id: tag.id.to_string(), name: tag.name, r#type: APP.to_owned() }
    }
}

impl From<ConsoleApp> for proto::ConsoleApp {
    fn from(app: ConsoleApp) -> Self {
        Self {
            id: app.id.to_string(),
            name: app.name,
            description: app.description,
            mode: app.mode.to_string(),
            icon_type: app.icon_type,
            icon: app.icon,
            icon_background: app.icon_background,
            use_icon_as_answer_icon: app.use_icon_as_answer_icon,
            enable_site: app.enable_site,
            enable_api: app.enable_api,
            workflow: app.workflow_id.map(|id| proto::ConsoleAppWorkflow { id: id.to_string() }),
            created_by: app.created_by.map(|id| id.to_string()),
            author_name: app.author_name,
            created_at: app.created_at.timestamp(),
            updated_by: app.updated_by.map(|id| id.to_string()),
            updated_at: app.updated_at.timestamp(),
            tags: app.tags.into_iter().map(Into::into).collect(),
        }
    }
}

#[async_trait]
impl proto::console_app_service_server::ConsoleAppService for Rpc {
    async fn list_console_apps(
        &self,
        request: Request<proto::ListConsoleAppsRequest>,
    ) -> Result<Response<proto::ListConsoleAppsResponse>, Status> {
        let (caller, query) = (console_caller(&request)?, request.get_ref());
        let page = PageRequest::new(query.page, query.limit, DEFAULT_LIMIT)?;
        let mode = query.mode.as_deref().filter(|mode| !mode.is_empty() && *mode != EVERY_MODE);
        let filter = AppFilter::parse(mode, query.name.as_deref(), None)?;
        let page = self.services.console_apps.list(caller, &filter, page).await?;
        Ok(Response::new(proto::ListConsoleAppsResponse {
            page: i32::try_from(page.request.page).unwrap_or(i32::MAX),
            limit: i32::try_from(page.request.limit).unwrap_or(i32::MAX),
            total: i64::try_from(page.total).unwrap_or(i64::MAX),
            has_more: page.has_more(),
            data: page.data.into_iter().map(Into::into).collect(),
        }))
    }

    async fn create_console_app(
        &self,
        mut request: Request<proto::CreateConsoleAppRequest>,
    ) -> Result<Response<proto::CreateConsoleAppResponse>, Status> {
        let message = std::mem::take(request.get_mut());
        if message.mode.is_empty() {
            return Err(Error::missing("mode").into());
        }
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let values = AppOverrides {
            name: given(Some(message.name)),
            description: given(message.description),
            icon_type: given(message.icon_type),
            icon: given(message.icon),
            icon_background: given(message.icon_background),
        };
        let app = self.services.console_apps.create(console_caller(&request)?, &message.mode, values).await?;
        Ok(created(proto::CreateConsoleAppResponse { app: Some(app.into()) }))
    }

    async fn get_console_app(
        &self,
        request: Request<proto::GetConsoleAppRequest>,
    ) -> Result<Response<proto::GetConsoleAppResponse>, Status> {
        let app = self.services.console_apps.get(console_caller(&request)?, &request.get_ref().id).await?;
        Ok(Response::new(proto::GetConsoleAppResponse { app: Some(app.into()) }))
    }

    async fn enable_console_app(
        &self,
        request: Request<proto::EnableConsoleAppRequest>,
    ) -> Result<Response<proto::EnableConsoleAppResponse>, Status> {
        let (caller, message) = (console_caller(&request)?, request.get_ref());
        let enabled = message.enable_api.ok_or_else(|| Error::missing("enable_api"))?;
        let app = self.services.console_apps.set_api(caller, &message.id, enabled).await?;
        Ok(Response::new(proto::EnableConsoleAppResponse { app: Some(app.into()) }))
    }

    async fn save_draft(
        &self,
        mut request: Request<proto::SaveDraftRequest>,
    ) -> Result<Response<proto::SaveDraftResponse>, Status> {
        let message = std::mem::take(request.get_mut());
        let members = |object: Option<Object>| object.map(Object::into_members);
        let list = |objects: Vec<Object>| objects.into_iter().map(|object| Value::Object(object.into_members()));
        let body = GraphBody {
            graph: Value::Object(members(message.graph).ok_or_else(|| Error::missing("graph"))?),
            features: Value::Object(members(message.features).unwrap_or_else(Map::new)),
            environment_variables: list(message.environment_variables).collect(),
            conversation_variables: list(message.conversation_variables).collect(),
        };
        let seen = message.hash.as_deref().filter(|hash| !hash.is_empty());
        let saved = self.services.console_apps.save_draft(console_caller(&request)?, &message.id, body, seen).await?;
        Ok(Response::new(proto::SaveDraftResponse {
            result: success(),
            hash: saved.hash,
            updated_at: saved.updated_at.timestamp(),
        }))
    }

    async fn publish_draft(
        &self,
        request: Request<proto::PublishDraftRequest>,
    ) -> Result<Response<proto::PublishDraftResponse>, Status> {
        let (caller, message) = (console_caller(&request)?, request.get_ref());
        let mark = VersionMark {
            name: message.marked_name.as_deref().unwrap_or_default(),
            comment: message.marked_comment.as_deref().unwrap_or_default(),
        };
        let published = self.services.console_apps.publish(caller, &message.id, mark).await?;
        Ok(Response::new(proto::PublishDraftResponse {
            result: success(),
            created_at: published.created_at.timestamp(),
        }))
    }
}
