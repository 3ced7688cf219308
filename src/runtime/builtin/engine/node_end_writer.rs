//! Writes the event of a node that ended.

use super::{error::RunError, event_writer::EventWriter, node_end::NodeEnd, node_events, task::Task};
use crate::runtime::builtin::graph::{node::NodeKind, topology::Graph};

/// Whether a node has `node_started`, `node_retry` and `node_finished`. Iterations have events of their own, and their
/// `iteration-start` has none.
pub(super) fn has_node_events(kind: &NodeKind) -> bool {
    !matches!(kind, NodeKind::Iteration(_) | NodeKind::IterationStart)
}

/// Writes `node_finished`, or `iteration_completed` for an iteration that wrote `iteration_started`: one whose list is
/// empty or missing did not, and has no inputs.
pub(super) async fn write_node_end(
    events: &EventWriter<'_>,
    graph: &Graph,
    task: &Task,
    end: &NodeEnd,
) -> Result<(), RunError> {
    let (node, now) = (graph.node(task.node), events.now());
    if matches!(node.kind, NodeKind::Iteration(_)) {
        if end.inputs.is_empty() {
            return Ok(());
        }
        let completed = node_events::iteration_completed(node, task, end, now);
        return events.write("iteration_completed", completed).await;
    }
    if !has_node_events(&node.kind) {
        return Ok(());
    }
    events.write("node_finished", node_events::node_finished(graph, task, end, now)).await
}
