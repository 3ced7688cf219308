//! The first and the last event of a graph's run.

use serde::Serialize;

use crate::{domain::human_form::UserAction, runtime::builtin::json::JsonObject};

/// `workflow_started`.
#[derive(Serialize)]
pub(crate) struct WorkflowStarted<'a> {
    /// Id of the run.
    pub id: &'a str,
    pub workflow_id: &'a str,
    pub inputs: &'a JsonObject,
    /// Unix seconds.
    pub created_at: i64,
}

/// `workflow_finished`.
#[derive(Serialize)]
pub(crate) struct WorkflowFinished<'a> {
    /// Id of the run.
    pub id: &'a str,
    pub workflow_id: &'a str,
    pub status: &'static str,
    pub outputs: &'a JsonObject,
    pub error: Option<&'a str>,
    /// Seconds.
    pub elapsed_time: f64,
    pub total_tokens: u64,
    pub total_steps: usize,
    pub created_by: &'a CreatedBy,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub finished_at: i64,
    pub exceptions_count: usize,
    pub files: [(); 0],
}

/// `human_input_required`.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct HumanInputRequired<'a> {
    pub form_id: &'a str,
    pub node_id: &'a str,
    pub node_title: &'a str,
    pub form_content: &'a str,
    pub inputs: &'a [JsonObject],
    pub actions: &'a [UserAction],
    pub display_in_ui: bool,
    pub form_token: &'a str,
    pub resolved_default_values: &'a JsonObject,
    /// Unix seconds.
    pub expiration_time: i64,
}

/// Why a run waits.
#[derive(Serialize)]
pub(crate) struct PauseReason<'a> {
    /// Always `human_input_required`.
    #[serde(rename = "TYPE")]
    pub kind: &'static str,
    #[serde(flatten)]
    pub form: HumanInputRequired<'a>,
}

/// `workflow_paused`.
#[derive(Serialize)]
pub(crate) struct WorkflowPaused<'a> {
    pub workflow_run_id: &'a str,
    pub paused_nodes: [&'a str; 1],
    pub reasons: [PauseReason<'a>; 1],
    pub outputs: &'a JsonObject,
    pub status: &'static str,
    /// Unix seconds.
    pub created_at: i64,
    /// Seconds.
    pub elapsed_time: f64,
    pub total_tokens: u64,
    pub total_steps: usize,
}

/// `human_input_form_filled`.
#[derive(Serialize)]
pub(crate) struct HumanInputFormFilled<'a> {
    pub node_id: &'a str,
    pub node_title: &'a str,
    pub rendered_content: &'a str,
    pub action_id: &'a str,
    pub action_text: &'a str,
    pub submitted_data: &'a JsonObject,
}

/// `human_input_form_timeout`.
#[derive(Serialize)]
pub(crate) struct HumanInputFormTimeout<'a> {
    pub node_id: &'a str,
    pub node_title: &'a str,
    /// Unix seconds.
    pub expiration_time: i64,
}

/// The end user who started a run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CreatedBy {
    /// Id of the end user.
    pub id: String,
    /// The name by which the caller identified the end user.
    pub user: String,
}
