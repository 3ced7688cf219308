//! Writes the event of a node that ended.

use super::{error::RunError, event_writer::EventWriter, node_end::NodeEnd, node_events, task::Task};
use crate::runtime::builtin::graph::{node::NodeKind, topology::Graph};

/// Writes `iteration_completed` for an iteration, and `node_finished` for every other node.
pub(super) async fn write_node_end(
    events: &EventWriter<'_>,
    graph: &Graph,
    task: &Task,
    end: &NodeEnd,
) -> Result<(), RunError> {
    let (node, now) = (graph.node(task.node), events.now());
    if matches!(node.kind, NodeKind::Iteration(_)) {
        let completed = node_events::iteration_completed(node, task, end, now);
        return events.write("iteration_completed", completed).await;
    }
    events.write("node_finished", node_events::node_finished(graph, task, end, now)).await
}
