//! `IdentityService`.

use tonic::{Request, Response, Status, async_trait};

use super::{convert::default_workspace_id, proto, request::caller, services::Rpc};

#[async_trait]
impl proto::identity_service_server::IdentityService for Rpc {
    async fn get_account(
        &self,
        request: Request<proto::GetAccountRequest>,
    ) -> Result<Response<proto::GetAccountResponse>, Status> {
        let caller = caller(&request)?;
        let subject = &caller.token.subject;
        let view = self.services.identity.account(caller).await?;
        Ok(Response::new(proto::GetAccountResponse {
            subject_type: proto::SubjectType::from(subject.subject_type()).into(),
            subject_email: view.as_ref().map_or_else(|| subject.email().to_owned(), |view| view.account.email.clone()),
            subject_issuer: subject.wire_issuer().map(str::to_owned),
            account: view.as_ref().map(|view| (&view.account).into()),
            workspaces: view.iter().flat_map(|view| &view.memberships).map(Into::into).collect(),
            default_workspace_id: view.as_ref().and_then(default_workspace_id),
        }))
    }
}
