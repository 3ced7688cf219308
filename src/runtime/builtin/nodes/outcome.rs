//! How a run of a node goes and how it ends.

use futures_util::future::BoxFuture;

use crate::runtime::builtin::{
    json::JsonObject,
    model::Usage,
    secret_masks::SecretMasks,
    variables::{budget::VariableLimitError, value::TextTooLongError},
};

/// What a successful run of a node gives.
#[derive(Debug, Default)]
pub(crate) struct NodeOutcome {
    /// The values that the node worked on, for its event.
    pub inputs: JsonObject,
    /// Intermediate results, for its event.
    pub process_data: JsonObject,
    /// The variables that other nodes can read.
    pub outputs: JsonObject,
    /// Tokens that its model calls used; `None` where it called no model.
    pub usage: Option<Usage>,
    /// The handle of the branch to follow; `None` for a node without branches.
    pub branch: Option<String>,
}

/// Why a run of a node failed, with what the run had produced by then.
#[derive(Debug, Default, thiserror::Error)]
#[error("{message}")]
pub(crate) struct NodeError {
    /// For the person who runs the app.
    pub message: String,
    /// Dify's name of the exception, for programs.
    pub kind: &'static str,
    /// The values that the node worked on.
    pub inputs: JsonObject,
    /// Intermediate results.
    pub process_data: JsonObject,
    /// Outputs in spite of the failure.
    pub outputs: JsonObject,
    /// Tokens that its model calls used.
    pub usage: Option<Usage>,
}

impl NodeError {
    /// An error of this kind, of a node that has produced nothing.
    pub(crate) fn new(kind: &'static str, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { message: message.into(), kind, ..Self::default() })
    }

    #[must_use]
    pub(crate) fn with_inputs(mut self: Box<Self>, inputs: JsonObject) -> Box<Self> {
        self.inputs = inputs;
        self
    }

    #[must_use]
    pub(crate) fn with_process_data(mut self: Box<Self>, process_data: JsonObject) -> Box<Self> {
        self.process_data = process_data;
        self
    }
}

impl From<TextTooLongError> for Box<NodeError> {
    fn from(error: TextTooLongError) -> Self {
        NodeError::new("TextTooLong", error.to_string())
    }
}

impl From<VariableLimitError> for Box<NodeError> {
    fn from(error: VariableLimitError) -> Self {
        NodeError::new("VariablesTooLarge", error.to_string())
    }
}

/// How a run of a node ended.
pub(crate) type NodeResult = Result<NodeOutcome, Box<NodeError>>;

/// Masks the values of a connection in what the service that it belongs to has returned.
pub(crate) fn masked(mut result: NodeResult, masks: &SecretMasks) -> NodeResult {
    match &mut result {
        Ok(outcome) => masks.mask_object(&mut outcome.outputs),
        Err(error) => {
            masks.mask_object(&mut error.outputs);
            error.message = masks.mask_text(&error.message).into_owned();
        }
    }
    result
}

/// A run of a node that has been started.
#[expect(clippy::large_enum_variant, reason = "most nodes are ready at once")]
pub(crate) enum NodeRun {
    /// The run has ended already.
    Ready(NodeResult),
    /// The run ends when this future does.
    Pending(BoxFuture<'static, NodeResult>),
}
