//! Starts one attempt of a node.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time;

use super::{
    error::RunError,
    execution::Execution,
    frames::Frames,
    task::{Task, random_id},
};
use crate::runtime::builtin::{
    graph::node::{Node, NodeKind, OnError},
    model::usage::UsageCounter,
    nodes::{
        aggregator, answer, assigner, end, http_request, if_else, llm,
        outcome::{NodeError, NodeOutcome, NodeResult, NodeRun},
        start, template_transform,
        text_sender::TextSender,
        tool,
    },
};

/// Starts an attempt of a node that is neither an iteration nor one that waits for a form. `usage` counts the tokens of
/// the attempt; `texts` receives the text of a model while it is generated. Returns `None` when the frame of the task
/// is closed.
pub(super) fn start_attempt(
    execution: &Execution,
    node: &Node,
    task: &Task,
    frames: &mut Frames<'_>,
    usage: &UsageCounter,
    texts: Option<TextSender>,
) -> Result<Option<NodeRun>, RunError> {
    let limit = execution.limits.variable_bytes;
    if let NodeKind::Assigner(data) = &node.kind {
        return Ok(frames.pool_mut(task.frame).map(|(pool, scope)| NodeRun::Ready(assigner::run(data, pool, scope))));
    }
    let Some(view) = frames.view(task.frame) else { return Ok(None) };
    let run = match &node.kind {
        NodeKind::Start => NodeRun::Ready(Ok(start::run(&execution.inputs, view, &execution.masks))),
        NodeKind::Answer(data) => NodeRun::Ready(answer::run(data, view, limit)),
        NodeKind::End(data) => NodeRun::Ready(end::run(data, view)),
        NodeKind::Aggregator(data) => NodeRun::Ready(aggregator::run(data, view)),
        NodeKind::IfElse(data) => if_else::start(data, view, limit, &execution.templates),
        NodeKind::TemplateTransform(data) => template_transform::start(data, view, &execution.templates),
        NodeKind::Llm(data) => {
            let context = llm::LlmContext {
                view,
                history: &execution.history,
                images: &execution.images,
                models: &execution.models,
                templates: &execution.templates,
                usage,
                limit,
            };
            llm::start(data, &context, texts)
        }
        NodeKind::HttpRequest(data) => {
            let context = http_request::HttpRequestContext {
                view,
                outbound: &execution.outbound,
                credentials: &execution.credentials,
                limit,
                masks: &execution.masks,
                fail_on_status: node.retry.is_some() || node.on_error != OnError::Abort,
                boundary: random_id(execution)?,
            };
            http_request::start(data, &context)
        }
        NodeKind::Tool(data) => {
            let (tools, credentials) = (execution.tools.as_ref(), &execution.credentials);
            tool::start(data, &tool::ToolContext { view, tools, credentials, limit })
        }
        NodeKind::IterationStart | NodeKind::Assigner(_) | NodeKind::HumanInput(_) | NodeKind::Iteration(_) => {
            NodeRun::Ready(Ok(NodeOutcome::default()))
        }
    };
    Ok(Some(run))
}

/// The result of an attempt that runs, or an error when it exceeds its timeout. The error has the tokens used until
/// then.
pub(super) async fn with_timeout(
    timeout: Duration,
    attempt: BoxFuture<'static, NodeResult>,
    usage: Option<UsageCounter>,
) -> NodeResult {
    time::timeout(timeout, attempt).await.unwrap_or_else(|_| {
        let message = format!("the node ran for more than {} seconds", timeout.as_secs());
        let mut error = NodeError::new("Timeout", message);
        error.usage = usage.as_ref().map(UsageCounter::of_attempt);
        Err(error)
    })
}
