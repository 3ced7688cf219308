//! Tags of the current workspace of the signed-in account.

use std::collections::BTreeSet;

use super::{console_apps::app_id, context::ServiceContext};
use crate::{
    domain::{
        Error, Result,
        app::tag::{MAX_TAG_NAME, MAX_TAGS_OF_APP, Tag},
        caller::ConsoleCaller,
        id::{TagId, WorkspaceId},
        member::RequiredRole,
        text::visible_name,
    },
    telemetry::audit::console_apps::{ConsoleAppEvent, ConsoleAppEventKind},
};

/// Manages tags. Reading is for every member, changing for editors.
#[derive(Clone)]
pub struct Tags {
    context: ServiceContext,
}

impl Tags {
    pub fn new(context: ServiceContext) -> Self {
        Self { context }
    }

    /// The tags of apps whose name contains the keyword, compared without case; newest first.
    pub async fn list(&self, caller: &ConsoleCaller, keyword: Option<&str>) -> Result<Vec<Tag>> {
        let workspace = self.context.current_membership(caller, RequiredRole::Any).await?.workspace_id;
        let mut tags = self.context.sql.list_tags(workspace).await?;
        if let Some(keyword) = keyword.filter(|keyword| !keyword.is_empty()) {
            let keyword = keyword.to_lowercase();
            tags.retain(|tag| tag.name.to_lowercase().contains(&keyword));
        }
        Ok(tags)
    }

    /// Creates a tag. Fails with `already_exists` for a name that another tag has.
    pub async fn create(&self, caller: &ConsoleCaller, name: &str) -> Result<Tag> {
        let workspace = self.editable(caller).await?;
        let name = visible_name(name).map_err(|error| Error::invalid_param("body", "name", error.to_string()))?;
        if name.is_empty() || name.chars().count() > MAX_TAG_NAME {
            let message = format!("must have 1 to {MAX_TAG_NAME} characters");
            return Err(Error::invalid_param("body", "name", message));
        }
        let now = self.context.clock.now();
        let id = self.context.sql.create_tag(workspace, &name, caller.account.id, now).await?;
        record(caller, workspace, ConsoleAppEventKind::TagCreated { tag: id });
        Ok(Tag { id, name, apps: 0 })
    }

    /// Deletes a tag, also from its apps.
    pub async fn delete(&self, caller: &ConsoleCaller, tag: &str) -> Result<()> {
        let workspace = self.editable(caller).await?;
        let tag = tag.parse().map_err(|_| Error::not_found("There is no such tag."))?;
        self.context.sql.delete_tag(workspace, tag, caller.account.id).await?;
        record(caller, workspace, ConsoleAppEventKind::TagDeleted { tag });
        Ok(())
    }

    /// Gives tags to an app; those that it has stay.
    pub async fn bind(&self, caller: &ConsoleCaller, app: &str, tags: &[String]) -> Result<()> {
        let workspace = self.editable(caller).await?;
        let (app, tags, now) = (app_id(app)?, tag_ids(tags)?, self.context.clock.now());
        self.context.sql.bind_tags(workspace, app, &tags, caller.account.id, now).await?;
        record(caller, workspace, ConsoleAppEventKind::TagsBound { app, tags: tags.len() });
        Ok(())
    }

    /// Takes tags from an app; those that it does not have are ignored.
    pub async fn unbind(&self, caller: &ConsoleCaller, app: &str, tags: &[String]) -> Result<()> {
        let workspace = self.editable(caller).await?;
        let (app, tags) = (app_id(app)?, tag_ids(tags)?);
        self.context.sql.unbind_tags(workspace, app, &tags, caller.account.id).await?;
        record(caller, workspace, ConsoleAppEventKind::TagsUnbound { app, tags: tags.len() });
        Ok(())
    }

    async fn editable(&self, caller: &ConsoleCaller) -> Result<WorkspaceId> {
        Ok(self.context.current_membership(caller, RequiredRole::Editor).await?.workspace_id)
    }
}

fn tag_ids(texts: &[String]) -> Result<BTreeSet<TagId>> {
    let invalid = |message: String| Error::invalid_param("body", "tag_ids", message);
    if texts.is_empty() || texts.len() > MAX_TAGS_OF_APP {
        return Err(invalid(format!("must have 1 to {MAX_TAGS_OF_APP} ids")));
    }
    texts.iter().map(|text| text.parse().map_err(|_| invalid("must be UUIDs".to_owned()))).collect()
}

fn record(caller: &ConsoleCaller, tenant_id: WorkspaceId, kind: ConsoleAppEventKind) {
    ConsoleAppEvent { tenant_id, subject: &caller.account.email, kind }.record();
}
