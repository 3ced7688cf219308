//! Ids that are used once in a run.

/// Id of a frame.
pub(super) type FrameId = u64;
/// Id of an iteration that runs.
pub(super) type IterationId = u64;

/// The frame of the graph itself.
pub(super) const ROOT_FRAME: FrameId = 0;
