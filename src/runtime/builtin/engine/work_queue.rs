//! The work that the scheduler does next.

use std::collections::VecDeque;

use super::{ids::FrameId, task::Task};
use crate::runtime::builtin::{graph::index::NodeIx, nodes::outcome::NodeResult};

/// One piece of work.
#[expect(clippy::large_enum_variant, reason = "nearly all of them are the largest")]
pub(super) enum Work {
    /// Start a node.
    Start(FrameId, NodeIx),
    /// Start another attempt of a node.
    Retry(Task),
    /// An attempt of a node ended.
    NodeEnded(Task, NodeResult),
    /// A round of an iteration ended. An error fails the round.
    RoundEnded(FrameId, Result<(), String>),
}

/// A queue. Work that continues what is being done goes to its front.
#[derive(Default)]
pub(super) struct WorkQueue(VecDeque<Work>);

impl WorkQueue {
    pub(super) fn pop(&mut self) -> Option<Work> {
        self.0.pop_front()
    }

    pub(super) fn push(&mut self, work: Work) {
        self.0.push_back(work);
    }

    pub(super) fn push_front(&mut self, work: Work) {
        self.0.push_front(work);
    }
}
