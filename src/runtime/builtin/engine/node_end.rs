//! The end of a node: its result as events report it, and the edges that are followed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::runtime::builtin::{
    graph::{
        node::OnError,
        topology::{Edge, FAIL_BRANCH},
    },
    json::JsonObject,
    model::Usage,
    nodes::outcome::{NodeError, NodeOutcome, NodeResult},
    secret_masks::SecretMasks,
};

/// The end of a node after its last attempt.
pub(super) struct NodeEnd {
    pub inputs: JsonObject,
    pub process_data: JsonObject,
    pub outputs: Arc<JsonObject>,
    pub usage: Option<Usage>,
    /// `succeeded`, `exception` when the graph handles the failure, `failed`, or `stopped` when the iteration around
    /// the node ended first.
    pub status: &'static str,
    pub error: Option<String>,
}

/// The edges that are followed from a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum FollowedEdges {
    /// Those of one branch.
    Branch(String),
    /// All but those of the fail branch.
    Regular,
    FailBranch,
}

impl FollowedEdges {
    pub(super) fn contains(&self, edge: &Edge) -> bool {
        match self {
            Self::Branch(handle) => edge.handle == *handle,
            Self::Regular => edge.handle != FAIL_BRANCH,
            Self::FailBranch => edge.handle == FAIL_BRANCH,
        }
    }
}

impl NodeEnd {
    /// The end of a node that succeeded, without the outputs of `outcome`, which are stored already.
    pub(super) fn succeeded(outcome: NodeOutcome, outputs: Arc<JsonObject>) -> (Self, FollowedEdges) {
        let NodeOutcome { inputs, process_data, usage, branch, .. } = outcome;
        let followed = branch.map_or(FollowedEdges::Regular, FollowedEdges::Branch);
        (Self { inputs, process_data, outputs, usage, status: "succeeded", error: None }, followed)
    }

    /// The end of a node that failed and whose failure the graph handles. `outputs` replace those of the node.
    pub(super) fn handled(error: NodeError, outputs: Arc<JsonObject>, on_error: &OnError) -> (Self, FollowedEdges) {
        let NodeError { message, inputs, process_data, usage, .. } = error;
        let followed = match on_error {
            OnError::FailBranch => FollowedEdges::FailBranch,
            OnError::Abort | OnError::DefaultValue(_) => FollowedEdges::Regular,
        };
        (Self { inputs, process_data, outputs, usage, status: "exception", error: Some(message) }, followed)
    }

    /// The end of a node that was stopped with the round of an iteration.
    pub(super) fn stopped(inputs: JsonObject) -> Self {
        Self {
            inputs,
            process_data: JsonObject::new(),
            outputs: Arc::default(),
            usage: None,
            status: "stopped",
            error: Some("The iteration ended before this node did.".to_owned()),
        }
    }

    /// The end of a node whose failure the graph does not handle.
    pub(super) fn failed(error: NodeError) -> Self {
        let NodeError { message, inputs, process_data, outputs, usage, .. } = error;
        Self { inputs, process_data, outputs: Arc::new(outputs), usage, status: "failed", error: Some(message) }
    }
}

/// The outputs of a node whose failure the graph handles; `None` when the graph does not handle it.
pub(super) fn outputs_after(error: &NodeError, on_error: &OnError) -> Option<JsonObject> {
    let mut outputs = match on_error {
        OnError::Abort => return None,
        OnError::FailBranch => JsonObject::new(),
        OnError::DefaultValue(defaults) => defaults.clone(),
    };
    outputs.insert("error_message".to_owned(), error.message.clone().into());
    outputs.insert("error_type".to_owned(), error.kind.into());
    Some(outputs)
}

pub(super) fn usage(result: &NodeResult) -> Option<Usage> {
    match result {
        Ok(outcome) => outcome.usage,
        Err(error) => error.usage,
    }
}

/// Masks the app's secrets in what events report of a node. Outputs stay as they are.
pub(super) fn mask_secrets(result: &mut NodeResult, masks: &SecretMasks) {
    let (inputs, process_data) = match result {
        Ok(outcome) => (&mut outcome.inputs, &mut outcome.process_data),
        Err(error) => {
            error.message = masks.mask_text(&error.message).into_owned();
            (&mut error.inputs, &mut error.process_data)
        }
    };
    masks.mask_object(inputs);
    masks.mask_object(process_data);
}
