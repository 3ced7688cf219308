//! `SingleSignOnService`.

use tonic::{Request, Response, Status, async_trait};

use super::{
    proto,
    reply::{KNOWN_BROWSER, Redirect, SSO_MARKS, SetCookies},
    request::{address, cookie, grant_caller, request_origin},
    services::Rpc,
};
use crate::{
    domain::Error,
    service::single_sign_on::completion::{Callback, Completed},
};

#[async_trait]
impl proto::single_sign_on_service_server::SingleSignOnService for Rpc {
    async fn start_single_sign_on(
        &self,
        request: Request<proto::StartSingleSignOnRequest>,
    ) -> Result<Response<proto::StartSingleSignOnResponse>, Status> {
        let marks = cookie(&request, SSO_MARKS);
        let user_code = &request.get_ref().user_code;
        let started = self.services.single_sign_on.start_for_device(user_code, marks, address(&request)?).await?;
        // A cookie of an earlier sign-in must not decide about this device.
        let cookies = vec![self.services.cookies.cleared_grant(), self.services.cookies.sso_marks(&started.marks)];
        Ok(redirect(proto::StartSingleSignOnResponse {}, started.url.into(), cookies))
    }

    async fn complete_single_sign_on(
        &self,
        request: Request<proto::CompleteSingleSignOnRequest>,
    ) -> Result<Response<proto::CompleteSingleSignOnResponse>, Status> {
        let known_browser = cookie(&request, &self.services.cookies.name(KNOWN_BROWSER));
        let (marks, origin) = (cookie(&request, SSO_MARKS), request_origin(&request)?);
        let callback = callback(request.get_ref())?;
        let completed = self.services.single_sign_on.complete(callback, marks, origin, known_browser).await?;
        let (location, cookies) = match completed {
            Completed::Grant(grant) => {
                let location = self.services.single_sign_on.page_url("/device?sso_verified=1");
                (location, vec![self.services.cookies.grant(&grant)])
            }
            Completed::Account { issued, return_to } => {
                let location = self.services.single_sign_on.page_url(&return_to);
                (location, self.services.cookies.issued(&issued).0)
            }
            Completed::Rejected { rejection, return_to } => {
                let page = match return_to {
                    None => format!("/device?sso_error={}", rejection.as_str()),
                    Some(target) => format!("/signin?sso_error={}&return={target}", rejection.as_str()),
                };
                (self.services.single_sign_on.page_url(&page), Vec::new())
            }
        };
        Ok(redirect(proto::CompleteSingleSignOnResponse {}, location, cookies))
    }

    async fn get_approval_context(
        &self,
        request: Request<proto::GetApprovalContextRequest>,
    ) -> Result<Response<proto::GetApprovalContextResponse>, Status> {
        let caller = grant_caller(&request)?;
        Ok(Response::new(proto::GetApprovalContextResponse {
            subject_email: caller.email.clone(),
            subject_issuer: caller.issuer.clone(),
            user_code: caller.user_code.expose(),
            csrf_token: caller.csrf_token.expose().to_owned(),
            expires_at: Some(caller.expires_at.into()),
        }))
    }

    async fn approve_external(
        &self,
        request: Request<proto::ApproveExternalRequest>,
    ) -> Result<Response<proto::ApproveExternalResponse>, Status> {
        let user_code = &request.get_ref().user_code;
        if user_code.is_empty() {
            return Err(Error::missing("user_code").into());
        }
        self.services.single_sign_on.approve(grant_caller(&request)?, user_code).await?;
        let mut response = Response::new(proto::ApproveExternalResponse { status: "approved".to_owned() });
        response.extensions_mut().insert(SetCookies(vec![self.services.cookies.cleared_grant()]));
        Ok(response)
    }
}

/// What the request brings back; `invalid_request` when it brings nothing.
fn callback(message: &proto::CompleteSingleSignOnRequest) -> Result<Callback<'_>, Error> {
    match (&message.sso_assertion, &message.state) {
        (Some(assertion), None) => Ok(Callback::Assertion(assertion)),
        (None, Some(state)) => Ok(Callback::Authorization {
            state,
            code: message.code.as_deref(),
            error: message.error.as_deref(),
            issuer: message.iss.as_deref(),
        }),
        _ => Err(Error::missing("sso_assertion")),
    }
}

fn redirect<T>(message: T, location: String, cookies: Vec<super::reply::SetCookie>) -> Response<T> {
    let mut response = Response::new(message);
    response.extensions_mut().insert(Redirect(location));
    response.extensions_mut().insert(SetCookies(cookies));
    response
}
