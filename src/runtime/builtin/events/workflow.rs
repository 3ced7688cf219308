//! The first and the last event of a graph's run.

use serde::Serialize;

use crate::runtime::builtin::json::JsonObject;

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

/// The end user who started a run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CreatedBy {
    /// Id of the end user.
    pub id: String,
    /// The name by which the caller identified the end user.
    pub user: String,
}
