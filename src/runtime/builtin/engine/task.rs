//! One execution of a node.

use std::{sync::Arc, time::Instant};

use super::{error::RunError, execution::Execution, ids::FrameId};
use crate::runtime::builtin::graph::index::NodeIx;

/// One execution of a node, from its first attempt to its last.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub frame: FrameId,
    pub node: NodeIx,
    /// The id in events.
    pub id: String,
    /// Number of the execution in its run, from 1.
    pub index: usize,
    /// The node whose edge led to this one first.
    pub predecessor: Option<NodeIx>,
    /// Id of the iteration node around this one.
    pub iteration_id: Option<Arc<str>>,
    pub started: Instant,
    /// Unix seconds.
    pub created_at: i64,
    pub failed_attempts: u32,
}

impl Task {
    pub(super) fn new(
        execution: &Execution,
        frame: FrameId,
        (node, predecessor): (NodeIx, Option<NodeIx>),
        iteration_id: Option<Arc<str>>,
        index: usize,
    ) -> Result<Self, RunError> {
        Ok(Self {
            frame,
            node,
            id: random_id(execution)?,
            index,
            predecessor,
            iteration_id,
            started: Instant::now(),
            created_at: execution.now(),
            failed_attempts: 0,
        })
    }
}

/// A random UUID.
pub(super) fn random_id(execution: &Execution) -> Result<String, RunError> {
    let id = execution.entropy.uuid_v4().map_err(|error| RunError::Failed(error.message().to_owned()))?;
    Ok(id.to_string())
}
