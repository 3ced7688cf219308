//! `ConsoleService`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tonic::{Request, Response, Status, async_trait};

use super::{
    proto,
    reply::{KNOWN_BROWSER, REFRESH_TOKEN, SetCookies, success},
    request::{console_caller, cookie, request_origin},
    services::Rpc,
};
use crate::{
    domain::{Code, Error, secret::Secret},
    service::console::invalid_session,
};

fn with_cookies<T>(message: T, cookies: SetCookies) -> Response<T> {
    let mut response = Response::new(message);
    response.extensions_mut().insert(cookies);
    response
}

#[async_trait]
impl proto::console_service_server::ConsoleService for Rpc {
    async fn login(&self, request: Request<proto::LoginRequest>) -> Result<Response<proto::LoginResponse>, Status> {
        let origin = request_origin(&request)?;
        let body = request.get_ref();
        if body.email.is_empty() {
            return Err(Error::missing("email").into());
        }
        if body.password.is_empty() {
            return Err(Error::missing("password").into());
        }
        let password = STANDARD
            .decode(&body.password)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| Error::new(Code::InvalidRequest, "password must be UTF-8 text encoded as base64."))?;
        let known_browser = cookie(&request, &self.services.cookies.name(KNOWN_BROWSER));
        let password = Secret::new(password);
        let issued =
            self.services.console.login(&body.email, password, body.remember_me, origin, known_browser).await?;
        Ok(with_cookies(proto::LoginResponse { result: success() }, self.services.cookies.issued(&issued)))
    }

    async fn logout(&self, request: Request<proto::LogoutRequest>) -> Result<Response<proto::LogoutResponse>, Status> {
        self.services.console.logout(console_caller(&request)?).await?;
        Ok(with_cookies(proto::LogoutResponse { result: success() }, self.services.cookies.cleared()))
    }

    async fn refresh_token(
        &self,
        request: Request<proto::RefreshTokenRequest>,
    ) -> Result<Response<proto::RefreshTokenResponse>, Status> {
        let refresh_token = cookie(&request, &self.services.cookies.name(REFRESH_TOKEN)).ok_or_else(invalid_session)?;
        let issued = self.services.console.refresh(refresh_token, &request_origin(&request)?).await?;
        let cookies = issued.map(|issued| self.services.cookies.issued(&issued)).unwrap_or_default();
        Ok(with_cookies(proto::RefreshTokenResponse { result: success() }, cookies))
    }

    async fn get_profile(
        &self,
        request: Request<proto::GetProfileRequest>,
    ) -> Result<Response<proto::GetProfileResponse>, Status> {
        let account = &console_caller(&request)?.account;
        Ok(Response::new(proto::GetProfileResponse {
            id: account.id.to_string(),
            name: account.name.clone(),
            email: account.email.clone(),
            avatar: account.avatar.clone(),
            is_password_set: account.has_password,
            interface_language: account.interface_language.clone(),
            timezone: account.timezone.clone(),
            created_at: account.created_at.timestamp(),
        }))
    }

    async fn list_console_workspaces(
        &self,
        request: Request<proto::ListConsoleWorkspacesRequest>,
    ) -> Result<Response<proto::ListConsoleWorkspacesResponse>, Status> {
        let workspaces = self.services.console.workspaces(console_caller(&request)?).await?;
        let workspaces = workspaces.into_iter().map(Into::into).collect();
        Ok(Response::new(proto::ListConsoleWorkspacesResponse { workspaces }))
    }

    async fn get_current_workspace(
        &self,
        request: Request<proto::GetCurrentWorkspaceRequest>,
    ) -> Result<Response<proto::GetCurrentWorkspaceResponse>, Status> {
        let workspace = self.services.console.current_workspace(console_caller(&request)?).await?;
        Ok(Response::new(proto::GetCurrentWorkspaceResponse {
            id: workspace.workspace_id.to_string(),
            name: workspace.name,
            plan: workspace.plan,
            status: workspace.status.to_string(),
            created_at: workspace.created_at.timestamp(),
            role: workspace.role.to_string(),
        }))
    }

    async fn switch_workspace(
        &self,
        request: Request<proto::SwitchWorkspaceRequest>,
    ) -> Result<Response<proto::SwitchWorkspaceResponse>, Status> {
        if request.get_ref().tenant_id.is_empty() {
            return Err(Error::missing("tenant_id").into());
        }
        let switched = self.services.console.switch(console_caller(&request)?, &request.get_ref().tenant_id).await?;
        Ok(Response::new(proto::SwitchWorkspaceResponse { result: success(), new_tenant: Some(switched.into()) }))
    }
}
