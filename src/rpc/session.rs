//! `SessionService`.

use tonic::{Request, Response, Status, async_trait};

use super::{hint::LIST_SESSIONS, proto, request::caller, services::Rpc};
use crate::domain::{Error, page::PageRequest};

/// Sessions of a page by default.
const DEFAULT_LIMIT: u32 = 100;

#[async_trait]
impl proto::session_service_server::SessionService for Rpc {
    async fn list_sessions(
        &self,
        request: Request<proto::ListSessionsRequest>,
    ) -> Result<Response<proto::ListSessionsResponse>, Status> {
        let page = PageRequest::new(request.get_ref().page, request.get_ref().limit, DEFAULT_LIMIT)?;
        let found = self.services.sessions.list(&caller(&request)?.token.subject, page).await?;
        let hints = proto::Hint::list(&request, || {
            let next = found.has_more().then(|| proto::Hint::next_page(LIST_SESSIONS, page.page, page.limit, &[]));
            next.into_iter().collect()
        });
        Ok(Response::new(proto::ListSessionsResponse {
            page: i32::try_from(page.page).unwrap_or(i32::MAX),
            limit: i32::try_from(page.limit).unwrap_or(i32::MAX),
            total: i64::try_from(found.total).unwrap_or(i64::MAX),
            has_more: found.has_more(),
            data: found.data.into_iter().map(Into::into).collect(),
            hints,
        }))
    }

    async fn revoke_current_session(
        &self,
        request: Request<proto::RevokeCurrentSessionRequest>,
    ) -> Result<Response<proto::RevokeCurrentSessionResponse>, Status> {
        self.services.sessions.revoke_current(caller(&request)?).await?;
        Ok(Response::new(proto::RevokeCurrentSessionResponse { status: "revoked".to_owned() }))
    }

    async fn revoke_session(
        &self,
        request: Request<proto::RevokeSessionRequest>,
    ) -> Result<Response<proto::RevokeSessionResponse>, Status> {
        self.services.sessions.revoke(&caller(&request)?.token.subject, &request.get_ref().id).await?;
        Ok(Response::new(proto::RevokeSessionResponse { status: "revoked".to_owned() }))
    }

    async fn revoke_token(
        &self,
        request: Request<proto::RevokeTokenRequest>,
    ) -> Result<Response<proto::RevokeTokenResponse>, Status> {
        let token = &request.get_ref().token;
        if token.is_empty() {
            return Err(Error::missing("token").into());
        }
        self.services.sessions.revoke_token(token).await?;
        Ok(Response::new(proto::RevokeTokenResponse {}))
    }
}
