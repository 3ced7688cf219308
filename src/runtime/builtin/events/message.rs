//! Events that carry text: the answer of a conversation and the text of a workflow.

use serde::Serialize;

use crate::runtime::builtin::model::usage::UsageBlock;

/// A piece of an answer.
#[derive(Serialize)]
pub(crate) struct Message<'a> {
    pub id: &'a str,
    pub answer: &'a str,
    /// The variable that the text comes from; `null` for apps without a graph.
    pub from_variable_selector: Option<&'a [&'a str]>,
}

/// A piece of an agent's answer.
#[derive(Serialize)]
pub(crate) struct AgentMessage<'a> {
    pub id: &'a str,
    pub answer: &'a str,
}

/// A step of an agent, without a tool.
#[derive(Serialize)]
pub(crate) struct AgentThought<'a> {
    pub id: &'a str,
    /// The number of the step, from 1.
    pub position: u32,
    /// What the model wrote; empty when the step begins.
    pub thought: &'a str,
    pub observation: &'static str,
    pub tool: &'static str,
    pub tool_labels: NoMembers,
    pub tool_input: &'static str,
    pub message_files: [(); 0],
}

/// An object without members.
#[derive(Serialize)]
pub(crate) struct NoMembers {}

/// Replaces the answer so far.
#[derive(Serialize)]
pub(crate) struct MessageReplace<'a> {
    pub answer: &'a str,
    pub reason: &'static str,
}

#[derive(Serialize)]
pub(crate) struct MessageEnd<'a> {
    pub id: &'a str,
    pub metadata: &'a MessageMetadata,
    /// `null` for apps without a graph, an empty list for apps with one.
    pub files: Option<[(); 0]>,
}

/// What `message_end` reports of an answer, and what is stored with it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct MessageMetadata {
    /// `Some(())` is written as `null`; `None` leaves the member out.
    #[serde(skip_serializing_if = "Option::is_none")]
    annotation_reply: Option<()>,
    retriever_resources: [(); 0],
    usage: UsageBlock,
}

impl MessageMetadata {
    /// The metadata in `message_end` of an app with a graph.
    pub(crate) fn new(usage: UsageBlock) -> Self {
        Self { annotation_reply: None, retriever_resources: [], usage }
    }

    /// The metadata in `message_end` of an app without a graph, and of every stored message.
    pub(crate) fn with_annotation_reply(usage: UsageBlock) -> Self {
        Self { annotation_reply: Some(()), ..Self::new(usage) }
    }
}

/// A piece of a workflow's text.
#[derive(Serialize)]
pub(crate) struct TextChunk<'a> {
    pub text: &'a str,
    pub from_variable_selector: &'a [&'a str],
}

/// Replaces a workflow's text so far.
#[derive(Serialize)]
pub(crate) struct TextReplace<'a> {
    pub text: &'a str,
}

/// An error after the answer began.
#[derive(Serialize)]
pub(crate) struct ErrorEvent<'a> {
    pub status: u16,
    pub code: &'static str,
    pub message: &'a str,
}
