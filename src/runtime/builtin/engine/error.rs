//! The errors that end a run before its graph ends.

/// Why a run ends before its graph does.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    /// A node failed and the graph does not handle it, or the run exceeded a limit.
    #[error("{0}")]
    Failed(String),
    #[error("the run timed out")]
    TimedOut,
    #[error("the run waits for a form")]
    Paused,
    #[error("the run was stopped")]
    Stopped,
    #[error("the client disconnected")]
    ClientDisconnected,
}
