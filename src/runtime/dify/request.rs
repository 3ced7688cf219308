//! Requests to Dify's service API: their URLs in each mode, and the body of a run.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    domain::{
        Error, Result,
        app::AppMode,
        human_form::FormToken,
        id::{ConversationId, WorkflowId, WorkflowRunId},
    },
    ports::runtime::{FollowOptions, RunRequest},
};

/// The URLs of the service API, below `DIFY_API_URL`. `/v1` is added when it is missing: Dify's `SERVICE_API_URL` omits
/// it, and the settings of its clients include it.
#[derive(Clone, Debug)]
pub(super) struct ApiUrls(Url);

impl ApiUrls {
    pub(super) fn new(mut url: Url) -> Self {
        url.set_query(None);
        url.set_fragment(None);
        let path = url.path().trim_end_matches('/');
        let path = if path.ends_with("/v1") { path.to_owned() } else { format!("{path}/v1") };
        url.set_path(&path);
        Self(url)
    }

    /// The URL that starts a run.
    pub(super) fn run(&self, run: &RunRequest) -> Url {
        match run.app.mode {
            AppMode::Workflow => match run.workflow_id {
                Some(version) => self.at(&["workflows", &version.to_string(), "run"]),
                None => self.at(&["workflows", "run"]),
            },
            mode => self.at(&[messages(mode)]),
        }
    }

    /// The URL that stops a run.
    pub(super) fn stop(&self, mode: AppMode, task_id: &str) -> Url {
        match mode {
            AppMode::Workflow => self.at(&["workflows", "tasks", task_id, "stop"]),
            mode => self.at(&[messages(mode), task_id, "stop"]),
        }
    }

    /// The URL that takes uploads.
    pub(super) fn upload(&self) -> Url {
        self.at(&["files", "upload"])
    }

    /// The URL of a form.
    pub(super) fn form(&self, token: &FormToken) -> Url {
        self.at(&["form", "human_input", token.expose()])
    }

    /// The URL of the events of a run.
    pub(super) fn events(&self, run: WorkflowRunId, user: &str, options: FollowOptions) -> Url {
        let mut url = self.at(&["workflow", &run.to_string(), "events"]);
        url.query_pairs_mut()
            .append_pair("user", user)
            .append_pair("include_state_snapshot", flag(options.include_state_snapshot))
            .append_pair("continue_on_pause", flag(options.continue_on_pause));
        url
    }

    fn at(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        // Fails only for URLs without a host, which the configuration rejects.
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(segments);
        }
        url
    }
}

const fn flag(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn messages(mode: AppMode) -> &'static str {
    if mode.is_chat() { "chat-messages" } else { "completion-messages" }
}

/// The body of a run. Every run streams; a blocking response is collected from the stream.
#[derive(Serialize)]
struct RunBody<'a> {
    inputs: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    files: &'a [Value],
    response_mode: &'static str,
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_generate_name: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_id: Option<String>,
}

/// The body of a run, as JSON.
pub(super) fn body(run: &RunRequest) -> Result<Vec<u8>> {
    let mode = run.app.mode;
    let body = RunBody {
        inputs: &run.inputs,
        query: run.query.as_deref().filter(|_| mode != AppMode::Workflow),
        files: &run.files,
        response_mode: "streaming",
        user: &run.user,
        conversation_id: run.conversation_id.as_ref().map(ConversationId::to_string).filter(|_| mode.is_chat()),
        auto_generate_name: mode.is_chat().then_some(run.auto_generate_name),
        // The path contains the version of a workflow app.
        workflow_id: run.workflow_id.as_ref().map(WorkflowId::to_string).filter(|_| mode == AppMode::AdvancedChat),
    };
    serde_json::to_vec(&body).map_err(Error::internal)
}

/// The body of a request that stops a run, as JSON.
pub(super) fn stop_body(user: &str) -> Result<Bytes> {
    serde_json::to_vec(&serde_json::json!({"user": user})).map(Bytes::from).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_version_is_added_to_the_url_when_it_is_missing() {
        for (given, stop) in [
            ("http://api:5001", "http://api:5001/v1/chat-messages/t/stop"),
            ("http://api:5001/v1/", "http://api:5001/v1/chat-messages/t/stop"),
            ("https://dify.example.com/v1", "https://dify.example.com/v1/chat-messages/t/stop"),
            ("https://example.com/dify/?x=1#y", "https://example.com/dify/v1/chat-messages/t/stop"),
        ] {
            let urls = ApiUrls::new(Url::parse(given).unwrap());
            assert_eq!(urls.stop(AppMode::AdvancedChat, "t").as_str(), stop);
        }
    }

    #[test]
    fn stop_url_depends_on_the_mode_and_escapes_the_task_id() {
        let urls = ApiUrls::new(Url::parse("http://api").unwrap());
        let stop = |mode, task: &str| urls.stop(mode, task).path().to_owned();
        assert_eq!(stop(AppMode::Workflow, "t"), "/v1/workflows/tasks/t/stop");
        assert_eq!(stop(AppMode::Completion, "t"), "/v1/completion-messages/t/stop");
        assert_eq!(stop(AppMode::Chat, "a/b?c"), "/v1/chat-messages/a%2Fb%3Fc/stop");
    }
}
