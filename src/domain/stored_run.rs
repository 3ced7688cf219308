//! Runs of graphs as they are stored once they have ended.

use chrono::{DateTime, Utc};

use super::id::{AppId, EndUserId, WorkflowId, WorkflowRunId};

/// By what the runs of a caller are found.
#[derive(Clone, Debug)]
pub struct RunCreator {
    pub app: AppId,
    /// The caller as a user of the app, of runs that this service stored.
    pub id: EndUserId,
    /// The user's name in requests to Dify's service API. Dify writes its own row of the user.
    pub forwarded_as: String,
}

/// A row of `workflow_runs`, without its graph and inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRun {
    pub id: WorkflowRunId,
    pub workflow_id: WorkflowId,
    pub status: String,
    /// JSON.
    pub outputs: Option<String>,
    pub error: Option<String>,
    pub elapsed_seconds: f64,
    pub total_tokens: i64,
    pub total_steps: i32,
    pub exceptions_count: i32,
    pub created_by: EndUserId,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}
