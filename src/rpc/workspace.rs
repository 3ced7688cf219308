//! `WorkspaceService`.

use serde_json::json;
use tonic::{Request, Response, Status, async_trait};

use super::{hint::LIST_APPS, proto, request::caller, services::Rpc};
use crate::domain::page::{Page, PageRequest};

/// Workspaces of a page by default.
const DEFAULT_LIMIT: u32 = 100;

#[async_trait]
impl proto::workspace_service_server::WorkspaceService for Rpc {
    async fn list_workspaces(
        &self,
        request: Request<proto::ListWorkspacesRequest>,
    ) -> Result<Response<proto::ListWorkspacesResponse>, Status> {
        let query = request.get_ref();
        let page = PageRequest::new(query.page, query.limit, DEFAULT_LIMIT)?;
        let memberships = self.services.identity.workspaces(caller(&request)?).await?;
        let current = memberships.iter().find(|membership| membership.current).or(memberships.first());
        let hints = proto::Hint::list(&request, || {
            let apps = current.map(|current| {
                let workspace = ("workspace_id", json!(current.workspace_id.to_string()));
                proto::Hint::new("List the apps of the current workspace", LIST_APPS, &[workspace])
            });
            apps.into_iter().collect()
        });
        let workspaces: Vec<proto::Workspace> = memberships.into_iter().map(Into::into).collect();
        let data = workspaces.iter().skip(usize::try_from(page.offset()).unwrap_or(usize::MAX));
        let page = Page {
            request: page,
            total: workspaces.len() as u64,
            data: data.take(page.limit as usize).cloned().collect::<Vec<_>>(),
        };
        Ok(Response::new(proto::ListWorkspacesResponse {
            page: i32::try_from(page.request.page).unwrap_or(i32::MAX),
            limit: i32::try_from(page.request.limit).unwrap_or(i32::MAX),
            total: i64::try_from(page.total).unwrap_or(i64::MAX),
            has_more: page.has_more(),
            data: page.data,
            workspaces,
            hints,
        }))
    }

    async fn get_workspace(
        &self,
        request: Request<proto::GetWorkspaceRequest>,
    ) -> Result<Response<proto::GetWorkspaceResponse>, Status> {
        let workspace = self.services.identity.workspace(caller(&request)?, &request.get_ref().id).await?;
        Ok(Response::new(workspace.into()))
    }

    async fn set_current_workspace(
        &self,
        request: Request<proto::SetCurrentWorkspaceRequest>,
    ) -> Result<Response<proto::SetCurrentWorkspaceResponse>, Status> {
        let workspace = self.services.identity.switch(caller(&request)?, &request.get_ref().id).await?;
        Ok(Response::new(workspace.into()))
    }
}
