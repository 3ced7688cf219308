//! `RunService`.

use tonic::{Request, Response, Status, async_trait};

use super::{
    app_run::{self, EventFormat, Responses},
    json::Object,
    proto,
    reply::success,
    request::caller,
    services::Rpc,
};
use crate::{
    domain::human_form::{OpenForm, UserAction},
    service::run::{follow::FollowOptions, forms::SubmitForm},
};

#[async_trait]
impl proto::run_service_server::RunService for Rpc {
    type GetRunEventsStream = Responses;

    async fn stop_run(
        &self,
        request: Request<proto::StopRunRequest>,
    ) -> Result<Response<proto::StopRunResponse>, Status> {
        let run = request.get_ref();
        self.services.runs.stop(caller(&request)?, &run.id, &run.task_id).await?;
        Ok(Response::new(proto::StopRunResponse { result: success() }))
    }

    async fn get_run_events(
        &self,
        request: Request<proto::GetRunEventsRequest>,
    ) -> Result<Response<Responses>, Status> {
        let query = request.get_ref();
        let options = FollowOptions {
            include_state_snapshot: query.include_state_snapshot.unwrap_or(false),
            continue_on_pause: query.continue_on_pause.unwrap_or(false),
        };
        let followed = self.services.runs.follow(caller(&request)?, &query.id, &query.run_id, options).await?;
        let format = EventFormat::of(&request);
        Ok(app_run::streamed(self.services.runs.stream_followed(followed), format))
    }

    async fn get_human_input_form(
        &self,
        request: Request<proto::GetHumanInputFormRequest>,
    ) -> Result<Response<proto::HumanInputForm>, Status> {
        let form = request.get_ref();
        let found = self.services.runs.get_form(caller(&request)?, &form.id, &form.token).await?;
        let OpenForm { form, expires_at } = found;
        let action = |action: UserAction| {
            let UserAction { id, title, button_style } = action;
            proto::HumanInputAction { id, title, button_style }
        };
        Ok(Response::new(proto::HumanInputForm {
            form_content: form.form_content,
            inputs: form.inputs.into_iter().map(Object::from).collect(),
            user_actions: form.user_actions.into_iter().map(action).collect(),
            resolved_default_values: Some(Object::from(form.resolved_default_values)),
            expiration_time: expires_at.timestamp(),
        }))
    }

    async fn submit_human_input_form(
        &self,
        request: Request<proto::SubmitHumanInputFormRequest>,
    ) -> Result<Response<proto::SubmitHumanInputFormResponse>, Status> {
        let caller = caller(&request)?.clone();
        let form = request.into_inner();
        let values = form.inputs.map(Object::into_members).unwrap_or_default();
        let submission = SubmitForm { app_id: &form.id, token: &form.token, action: &form.action, values };
        self.services.runs.submit_form(&caller, submission).await?;
        Ok(Response::new(proto::SubmitHumanInputFormResponse {}))
    }
}
