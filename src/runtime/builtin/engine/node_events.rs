//! The events of nodes and iterations, made from their tasks and results.

use std::time::Duration;

use serde_json::Value;

use super::{node_end::NodeEnd, task::Task};
use crate::runtime::builtin::{
    events::{
        iteration::{IterationCompleted, IterationInputs, IterationLength, IterationNext, IterationStarted},
        node::{EmptyObject, ExecutionMetadata, NodeFinished, NodeStarted, TokenTotals},
    },
    graph::{node::Node, topology::Graph},
    json::JsonObject,
    model::Usage,
    nodes::outcome::NodeError,
};

pub(super) fn node_started<'a>(graph: &'a Graph, task: &'a Task) -> NodeStarted<'a> {
    let node = graph.node(task.node);
    NodeStarted {
        id: &task.id,
        node_id: &node.id,
        node_type: node.kind.as_str(),
        title: &node.title,
        index: task.index,
        predecessor_node_id: task.predecessor.map(|ix| &*graph.node(ix).id),
        inputs: None,
        created_at: task.created_at,
        extras: EmptyObject {},
        parallel_id: (),
        parallel_start_node_id: (),
        parent_parallel_id: (),
        parent_parallel_start_node_id: (),
        iteration_id: task.iteration_id.as_deref(),
        loop_id: (),
    }
}

/// `finished_at` is in Unix seconds.
pub(super) fn node_finished<'a>(
    graph: &'a Graph,
    task: &'a Task,
    end: &'a NodeEnd,
    finished_at: i64,
) -> NodeFinished<'a> {
    NodeFinished {
        process_data: Some(&end.process_data),
        outputs: Some(&end.outputs),
        status: end.status,
        error: end.error.as_deref(),
        ..attempt_ended(graph, task, &end.inputs, end.usage, finished_at)
    }
}

/// The event for an attempt that failed and is followed by another. `finished_at` is in Unix seconds.
pub(super) fn node_retry<'a>(
    graph: &'a Graph,
    task: &'a Task,
    error: &'a NodeError,
    finished_at: i64,
) -> NodeFinished<'a> {
    NodeFinished {
        process_data: Some(&error.process_data),
        outputs: Some(&error.outputs),
        status: "retry",
        error: Some(&error.message),
        retry_index: Some(task.failed_attempts),
        ..attempt_ended(graph, task, &error.inputs, error.usage, finished_at)
    }
}

/// The members that [`node_finished`] and [`node_retry`] have in common.
fn attempt_ended<'a>(
    graph: &'a Graph,
    task: &'a Task,
    inputs: &'a JsonObject,
    usage: Option<Usage>,
    finished_at: i64,
) -> NodeFinished<'a> {
    let mut node = node_started(graph, task);
    node.inputs = Some(inputs);
    let tokens = usage.map(|usage| TokenTotals::new(usage.total_tokens()));
    let metadata = ExecutionMetadata { tokens, iteration_id: node.iteration_id };
    NodeFinished {
        node,
        process_data: None,
        outputs: None,
        status: "",
        error: None,
        elapsed_time: seconds(task.started.elapsed()),
        execution_metadata: (metadata.tokens.is_some() || metadata.iteration_id.is_some()).then_some(metadata),
        finished_at,
        files: [],
        retry_index: None,
    }
}

/// `created_at` is in Unix seconds.
pub(super) fn iteration_started<'a>(node: &'a Node, items: &'a [Value], created_at: i64) -> IterationStarted<'a> {
    IterationStarted {
        id: &node.id,
        node_id: &node.id,
        node_type: node.kind.as_str(),
        title: &node.title,
        created_at,
        extras: EmptyObject {},
        metadata: IterationLength { iterator_length: items.len() },
        inputs: IterationInputs { iterator_selector: items },
    }
}

/// `created_at` is in Unix seconds.
pub(super) fn iteration_next(node: &Node, index: usize, created_at: i64) -> IterationNext<'_> {
    IterationNext {
        id: &node.id,
        node_id: &node.id,
        node_type: node.kind.as_str(),
        title: &node.title,
        index,
        created_at,
        extras: EmptyObject {},
    }
}

/// `finished_at` is in Unix seconds.
pub(super) fn iteration_completed<'a>(
    node: &'a Node,
    task: &Task,
    end: &'a NodeEnd,
    finished_at: i64,
) -> IterationCompleted<'a> {
    let items = end.inputs.get("iterator_selector").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let tokens = end.usage.unwrap_or_default().total_tokens();
    IterationCompleted {
        id: &node.id,
        node_id: &node.id,
        node_type: node.kind.as_str(),
        title: &node.title,
        outputs: &end.outputs,
        created_at: task.created_at,
        extras: EmptyObject {},
        inputs: IterationInputs { iterator_selector: items },
        status: end.status,
        error: end.error.as_deref(),
        elapsed_time: seconds(task.started.elapsed()),
        total_tokens: tokens,
        execution_metadata: TokenTotals::new(tokens),
        finished_at,
        steps: items.len(),
    }
}

/// Seconds, rounded to microseconds.
pub(super) fn seconds(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1e6).round() / 1e6
}
