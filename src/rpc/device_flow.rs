//! `DeviceFlowService`.

use tonic::{Request, Response, Status, async_trait};

use super::{
    convert::default_workspace_id,
    proto,
    reply::SetCookies,
    request::{address, basic_client_id, console_caller, user_agent},
    services::Rpc,
    timestamp::Timestamp,
};
use crate::domain::{
    Code, Error,
    caller::{ConsoleCaller, GrantCaller},
    grant::{INTERVAL, LIFETIME},
    scope,
};

/// RFC 8628 section 3.4.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

#[async_trait]
impl proto::device_flow_service_server::DeviceFlowService for Rpc {
    async fn create_device_code(
        &self,
        request: Request<proto::CreateDeviceCodeRequest>,
    ) -> Result<Response<proto::CreateDeviceCodeResponse>, Status> {
        let (address, user_agent) = (address(&request)?, user_agent(&request));
        let client_id = client_id(&request, &request.get_ref().client_id);
        let label = request.get_ref().device_label.as_deref();
        let codes = self.services.device_flow.create(&client_id, label, address, user_agent).await?;
        let verification_uri = format!("{}/device", self.services.about.issuer);
        let user_code = codes.user_code.expose();
        let complete =
            self.services.about.verification_uri_complete.then(|| format!("{verification_uri}?user_code={user_code}"));
        Ok(Response::new(proto::CreateDeviceCodeResponse {
            device_code: codes.device_code.expose().to_owned(),
            user_code,
            verification_uri,
            verification_uri_complete: complete,
            expires_in: LIFETIME.into(),
            interval: INTERVAL.into(),
        }))
    }

    async fn poll_device_token(
        &self,
        request: Request<proto::PollDeviceTokenRequest>,
    ) -> Result<Response<proto::PollDeviceTokenResponse>, Status> {
        let client_id = client_id(&request, &request.get_ref().client_id);
        if request.get_ref().grant_type.as_deref().is_some_and(|given| given != GRANT_TYPE) {
            return Err(Error::new(
                Code::UnsupportedGrantType,
                "This endpoint only supports the device_code grant type.",
            )
            .into());
        }
        let redeemed =
            self.services.device_flow.poll(&client_id, &request.get_ref().device_code, address(&request)?).await?;
        let (subject, view) = (&redeemed.subject, redeemed.view.as_ref());
        Ok(Response::new(proto::PollDeviceTokenResponse {
            token: redeemed.token.expose().to_owned(),
            access_token: redeemed.token.expose().to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in: redeemed.expires_in,
            scope: scope::scope_string(subject.subject_type()).to_owned(),
            expires_at: Some(redeemed.expires_at.into()),
            token_id: redeemed.token_id.to_string(),
            subject_type: proto::SubjectType::from(subject.subject_type()).into(),
            subject_email: subject.email().to_owned(),
            subject_issuer: subject.wire_issuer().map(str::to_owned),
            account: view.map(|view| (&view.account).into()),
            workspaces: view.into_iter().flat_map(|view| &view.memberships).map(Into::into).collect(),
            default_workspace_id: view.and_then(default_workspace_id),
        }))
    }

    async fn lookup_user_code(
        &self,
        request: Request<proto::LookupUserCodeRequest>,
    ) -> Result<Response<proto::LookupUserCodeResponse>, Status> {
        let signed_in = request.extensions().get::<ConsoleCaller>().map(|caller| caller.account.id);
        let found =
            self.services.device_flow.lookup(&request.get_ref().user_code, address(&request)?, signed_in).await?;
        let Some(grant) = found else { return Ok(Response::new(proto::LookupUserCodeResponse::default())) };
        let mut response = proto::LookupUserCodeResponse {
            valid: true,
            expires_in_remaining: grant.expires_in.into(),
            client_id: Some(grant.request.client_id),
            ..Default::default()
        };
        if signed_in.is_some() {
            response.device_label = Some(grant.request.device_label);
            response.created_ip = Some(grant.request.created_ip.to_string());
            response.created_at =
                i64::try_from(grant.created_at_ms / 1_000).ok().map(|seconds| Timestamp { seconds, nanos: 0 });
        }
        Ok(Response::new(response))
    }

    async fn approve_device(
        &self,
        request: Request<proto::ApproveDeviceRequest>,
    ) -> Result<Response<proto::ApproveDeviceResponse>, Status> {
        let caller = console_caller(&request)?;
        self.services
            .device_flow
            .approve(&caller.account, user_code(&request.get_ref().user_code)?, address(&request)?)
            .await?;
        Ok(Response::new(proto::ApproveDeviceResponse { status: "approved".to_owned() }))
    }

    async fn deny_device(
        &self,
        request: Request<proto::DenyDeviceRequest>,
    ) -> Result<Response<proto::DenyDeviceResponse>, Status> {
        let user_code = user_code(&request.get_ref().user_code)?;
        let mut response = Response::new(proto::DenyDeviceResponse { status: "denied".to_owned() });
        if let Some(caller) = request.extensions().get::<GrantCaller>() {
            self.services.single_sign_on.deny(caller, user_code).await?;
            response.extensions_mut().insert(SetCookies(vec![self.services.cookies.cleared_grant()]));
        } else {
            let caller = console_caller(&request)?;
            self.services.device_flow.deny(&caller.account, user_code, address(&request)?).await?;
        }
        Ok(response)
    }
}

/// Requires a user code of any content.
fn user_code(in_body: &str) -> Result<&str, Error> {
    if in_body.is_empty() { Err(Error::missing("user_code")) } else { Ok(in_body) }
}

/// The client id of the body or, without one, of HTTP Basic.
fn client_id<T>(request: &Request<T>, in_body: &str) -> String {
    if in_body.is_empty() { basic_client_id(request).unwrap_or_default() } else { in_body.to_owned() }
}
