//! Forms of runs that wait at Dify, through its service API.

use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{
    DifyClient,
    error_response::{ErrorResponse, upstream_error},
    timed_out,
};
use crate::{
    domain::{
        Error, Result,
        app::App,
        human_form::{FormToken, HumanForm, OpenForm},
    },
    http_client::read_body,
    ports::runtime::{FormSubmission, RunOfUser},
};

/// Longest time that Dify takes to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 4 << 20;

/// What Dify answers.
#[derive(Deserialize)]
struct FormAnswer {
    #[serde(flatten)]
    form: HumanForm,
    /// In Unix seconds.
    expiration_time: i64,
}

impl DifyClient {
    pub(super) async fn get_form(&self, app: &App, token: &FormToken) -> Result<OpenForm> {
        let invalid = || upstream_error("Dify's answer to the form is not valid.");
        let body = self.exchange_form(app, Method::GET, self.urls.form(token), None).await?;
        let FormAnswer { form, expiration_time } =
            serde_json::from_slice(&body).map_err(|cause| invalid().with_source(cause))?;
        let expires_at = DateTime::from_timestamp(expiration_time, 0).ok_or_else(invalid)?;
        Ok(OpenForm { form, expires_at })
    }

    pub(super) async fn post_form(&self, of: RunOfUser<'_>, submission: FormSubmission<'_>) -> Result<()> {
        let FormSubmission { token, action, values } = submission;
        let body = json!({"inputs": values, "action": action, "user": of.user});
        let body = serde_json::to_vec(&body).map_err(Error::internal)?.into();
        self.exchange_form(of.app, Method::POST, self.urls.form(token), Some(body)).await.map(|_| ())
    }

    /// The body of the answer. A request is sent again when Dify rejects the key and the app has another one by now.
    async fn exchange_form(&self, app: &App, method: Method, url: Url, body: Option<Bytes>) -> Result<Bytes> {
        let _place = self.take_connection(app)?;
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        let (_, mut response) = self.request_for(app, method, url, body, deadline).await?;
        if !response.status().is_success() {
            return Err(ErrorResponse::read(response).await.into_form_error());
        }
        let answer = timeout_at(deadline, read_body(&mut response, MAX_ANSWER)).await.map_err(|_| timed_out())?;
        answer.map_err(|cause| upstream_error("Dify's answer to the form is not valid.").with_source(cause))
    }
}
