//! `TagService`.

use tonic::{Request, Response, Status, async_trait};

use super::{
    proto,
    reply::{ReplyStatus, success},
    request::console_caller,
    services::Rpc,
};
use crate::domain::{Error, Result, app::tag::Tag};

/// The kind of all tags here.
pub(super) const APP: &str = "app";
/// The kind of Dify's tags of knowledge bases, which this service does not have.
const KNOWLEDGE: &str = "knowledge";

/// Fails with `invalid_param` for every kind of tags but those of apps.
fn require_app_kind(kind: &str) -> Result<()> {
    match kind {
        APP => Ok(()),
        "" => Err(Error::missing("type")),
        _ => Err(Error::invalid_param("body", "type", "must be app")),
    }
}

impl From<Tag> for proto::ConsoleTag {
    fn from(tag: Tag) -> Self {
        Self { id: tag.id.to_string(), name: tag.name, r#type: APP.to_owned(), binding_count: tag.apps.to_string() }
    }
}

#[async_trait]
impl proto::tag_service_server::TagService for Rpc {
    async fn list_tags(
        &self,
        request: Request<proto::ListTagsRequest>,
    ) -> Result<Response<proto::ListTagsResponse>, Status> {
        let (caller, query) = (console_caller(&request)?, request.get_ref());
        let tags = match query.r#type.as_deref() {
            None | Some(APP | "") => self.services.tags.list(caller, query.keyword.as_deref()).await?,
            Some(KNOWLEDGE) => Vec::new(),
            Some(_) => return Err(Error::invalid_param("query", "type", "must be app or knowledge").into()),
        };
        Ok(Response::new(proto::ListTagsResponse { tags: tags.into_iter().map(Into::into).collect() }))
    }

    async fn create_tag(
        &self,
        request: Request<proto::CreateTagRequest>,
    ) -> Result<Response<proto::CreateTagResponse>, Status> {
        let (caller, message) = (console_caller(&request)?, request.get_ref());
        if message.name.is_empty() {
            return Err(Error::missing("name").into());
        }
        require_app_kind(&message.r#type)?;
        let tag = proto::ConsoleTag::from(self.services.tags.create(caller, &message.name).await?);
        let proto::ConsoleTag { id, name, r#type, binding_count } = tag;
        Ok(Response::new(proto::CreateTagResponse { id, name, r#type, binding_count }))
    }

    async fn delete_tag(
        &self,
        request: Request<proto::DeleteTagRequest>,
    ) -> Result<Response<proto::DeleteTagResponse>, Status> {
        self.services.tags.delete(console_caller(&request)?, &request.get_ref().tag_id).await?;
        let mut response = Response::new(proto::DeleteTagResponse { result: success() });
        response.extensions_mut().insert(ReplyStatus::Deleted);
        Ok(response)
    }

    async fn bind_tags(
        &self,
        request: Request<proto::BindTagsRequest>,
    ) -> Result<Response<proto::BindTagsResponse>, Status> {
        let (caller, message) = (console_caller(&request)?, request.get_ref());
        require_app_kind(&message.r#type)?;
        self.services.tags.bind(caller, &message.target_id, &message.tag_ids).await?;
        Ok(Response::new(proto::BindTagsResponse { result: success() }))
    }

    async fn unbind_tags(
        &self,
        request: Request<proto::UnbindTagsRequest>,
    ) -> Result<Response<proto::UnbindTagsResponse>, Status> {
        let (caller, message) = (console_caller(&request)?, request.get_ref());
        require_app_kind(&message.r#type)?;
        let mut tags = message.tag_ids.clone();
        tags.extend(message.tag_id.clone());
        self.services.tags.unbind(caller, &message.target_id, &tags).await?;
        Ok(Response::new(proto::UnbindTagsResponse { result: success() }))
    }
}
