//! `WorkspaceService`.

use tonic::{Request, Response, Status, async_trait};

use super::{proto, request::caller, services::Rpc};

#[async_trait]
impl proto::workspace_service_server::WorkspaceService for Rpc {
    async fn list_workspaces(
        &self,
        request: Request<proto::ListWorkspacesRequest>,
    ) -> Result<Response<proto::ListWorkspacesResponse>, Status> {
        let workspaces = self.services.identity.workspaces(caller(&request)?).await?;
        let workspaces = workspaces.into_iter().map(Into::into).collect();
        Ok(Response::new(proto::ListWorkspacesResponse { workspaces }))
    }

    async fn get_workspace(
        &self,
        request: Request<proto::GetWorkspaceRequest>,
    ) -> Result<Response<proto::GetWorkspaceResponse>, Status> {
        let workspace = self.services.identity.workspace(caller(&request)?, &request.get_ref().id).await?;
        Ok(Response::new(workspace.into()))
    }
}
