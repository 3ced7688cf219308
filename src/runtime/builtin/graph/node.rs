//! Nodes of a checked graph.

use std::{sync::Arc, time::Duration};

use super::index::{EdgeIx, LevelIx};
use crate::runtime::builtin::{
    json::JsonObject,
    nodes::{
        aggregator, answer, assigner, end, http_request, human_input, if_else, iteration, llm, template_transform, tool,
    },
};

#[derive(Debug)]
pub(crate) struct Node {
    pub id: Arc<str>,
    /// The name that people see.
    pub title: String,
    pub kind: NodeKind,
    pub level: LevelIx,
    /// Index among the reachable nodes of the level.
    pub slot: usize,
    /// `None`: a failed node is not tried again.
    pub retry: Option<Retry>,
    /// What follows when the last attempt fails.
    pub on_error: OnError,
    /// Edges that lead here from reachable nodes.
    pub incoming: Vec<EdgeIx>,
    pub outgoing: Vec<EdgeIx>,
}

impl Node {
    /// Whether the result of the node decides which of its edges are followed.
    pub(crate) fn has_branches(&self) -> bool {
        matches!(self.kind, NodeKind::IfElse(_) | NodeKind::HumanInput(_))
            || matches!(self.on_error, OnError::FailBranch)
    }
}

/// The type of a node, with its data.
#[derive(Debug)]
pub(crate) enum NodeKind {
    Start,
    Llm(Box<llm::LlmNodeData>),
    Answer(answer::AnswerNodeData),
    End(end::EndNodeData),
    TemplateTransform(template_transform::TemplateTransformNodeData),
    IfElse(if_else::IfElseNodeData),
    Aggregator(aggregator::AggregatorNodeData),
    Assigner(assigner::AssignerNodeData),
    HttpRequest(Box<http_request::HttpRequestNodeData>),
    HumanInput(Box<human_input::HumanInputNodeData>),
    Tool(Box<tool::ToolNodeData>),
    Iteration(iteration::IterationNodeData),
    /// Where the contents of an iteration begin.
    IterationStart,
}

impl NodeKind {
    /// The name in events.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Llm(_) => "llm",
            Self::Answer(_) => "answer",
            Self::End(_) => "end",
            Self::TemplateTransform(_) => "template-transform",
            Self::IfElse(_) => "if-else",
            Self::Aggregator(_) => "variable-aggregator",
            Self::Assigner(_) => "assigner",
            Self::HttpRequest(_) => "http-request",
            Self::HumanInput(_) => "human-input",
            Self::Tool(_) => "tool",
            Self::Iteration(_) => "iteration",
            Self::IterationStart => "iteration-start",
        }
    }
}

/// How a failed node is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    /// Attempts after the first.
    pub times: u32,
    /// The pause before each attempt.
    pub interval: Duration,
}

/// What follows when a node fails.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OnError {
    /// The run, or the round of an iteration, fails.
    Abort,
    /// The run continues with these outputs.
    DefaultValue(JsonObject),
    /// The run continues along the node's `fail-branch`.
    FailBranch,
}
