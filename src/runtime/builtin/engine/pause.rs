//! A run that waits for a form: what is kept of the engine, so that another process can continue the run.
//!
//! The nodes that have ended are kept in their order, with their outputs and the edges that were followed. Continuing a
//! run repeats their ends without running them; that restores the progress of all nodes and the position in the texts.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{node_end::FollowedEdges, run_outputs::RunOutputs};
use crate::{
    domain::{
        human_form::{FormToken, HumanForm},
        id::HumanFormId,
    },
    ports::runtime::FormAnswer,
    runtime::builtin::json::JsonObject,
};

/// What is kept of the engine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PausedEngine {
    /// The nodes of the graph itself that have ended, in their order.
    pub(super) ended: Vec<EndedNode>,
    /// The nodes that wait for a form. The form of the first is required; the others follow one after the other.
    pub(super) waiting: Vec<WaitingNode>,
    pub conversation_variables: JsonObject,
    pub(super) outputs: RunOutputs,
    pub(super) text: String,
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
    pub(super) steps: (usize, usize),
    pub(super) exceptions: usize,
    pub(super) elapsed: Duration,
    /// Unix seconds.
    pub(super) run_created_at: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct EndedNode {
    pub node_id: String,
    pub outputs: JsonObject,
    pub followed: FollowedEdges,
}

/// A task of a node that waits for a form.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct WaitingNode {
    pub node_id: String,
    pub task_id: String,
    pub index: usize,
    pub predecessor: Option<String>,
    /// Unix seconds.
    pub created_at: i64,
}

/// A pause of a run.
#[derive(Clone, Debug)]
pub(crate) struct Pause {
    pub engine: PausedEngine,
    pub form: RequiredForm,
}

/// The form that a run waits for.
#[derive(Clone, Debug)]
pub(crate) struct RequiredForm {
    pub id: HumanFormId,
    pub token: FormToken,
    pub node_id: String,
    pub node_title: String,
    pub form: HumanForm,
    pub expires_at: DateTime<Utc>,
}

/// A run that continues after its pause.
#[derive(Clone, Debug)]
pub(crate) struct Resumption {
    pub engine: PausedEngine,
    pub answer: FormAnswer,
}
