//! `SetupService`.

use chrono::SecondsFormat;
use tonic::{Request, Response, Status, async_trait};

use super::{
    proto,
    reply::{INIT_PROOF, SetCookies, created, success},
    request::{address, cookie},
    services::Rpc,
};
use crate::{
    domain::{Error, secret::Secret, setup::SetupState},
    service::setup::EnteredAdministrator,
};

const FINISHED: &str = "finished";
const NOT_STARTED: &str = "not_started";

#[async_trait]
impl proto::setup_service_server::SetupService for Rpc {
    async fn get_init_status(
        &self,
        request: Request<proto::GetInitStatusRequest>,
    ) -> Result<Response<proto::GetInitStatusResponse>, Status> {
        let is_validated = self.services.setup.is_validated(cookie(&request, INIT_PROOF)).await?;
        let status = if is_validated { FINISHED } else { NOT_STARTED };
        Ok(Response::new(proto::GetInitStatusResponse { status: status.to_owned() }))
    }

    async fn validate_init_password(
        &self,
        mut request: Request<proto::ValidateInitPasswordRequest>,
    ) -> Result<Response<proto::ValidateInitPasswordResponse>, Status> {
        let password = Secret::new(std::mem::take(&mut request.get_mut().password));
        if password.expose().is_empty() {
            return Err(Error::missing("password").into());
        }
        let proof = self.services.setup.validate(&password).await?;
        let mut response = created(proto::ValidateInitPasswordResponse { result: success() });
        response.extensions_mut().insert(SetCookies(vec![self.services.cookies.init_proof(&proof)]));
        Ok(response)
    }

    async fn get_setup_status(
        &self,
        _request: Request<proto::GetSetupStatusRequest>,
    ) -> Result<Response<proto::GetSetupStatusResponse>, Status> {
        let (step, setup_at) = match self.services.setup.state().await? {
            SetupState::NotStarted => (NOT_STARTED, None),
            SetupState::Finished { at } => (FINISHED, Some(at.to_rfc3339_opts(SecondsFormat::Secs, true))),
        };
        Ok(Response::new(proto::GetSetupStatusResponse { step: step.to_owned(), setup_at }))
    }

    async fn set_up(
        &self,
        mut request: Request<proto::SetUpRequest>,
    ) -> Result<Response<proto::SetUpResponse>, Status> {
        let password = Secret::new(std::mem::take(&mut request.get_mut().password));
        let message = request.get_ref();
        for (member, value) in
            [("email", message.email.as_str()), ("name", message.name.as_str()), ("password", password.expose())]
        {
            if value.is_empty() {
                return Err(Error::missing(member).into());
            }
        }
        let entered = EnteredAdministrator {
            email: &message.email,
            name: &message.name,
            password,
            language: message.language.as_deref(),
        };
        self.services.setup.set_up(entered, cookie(&request, INIT_PROOF), address(&request)?).await?;
        Ok(created(proto::SetUpResponse { result: success() }))
    }
}
