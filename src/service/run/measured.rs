//! How a run ended, by its events, for the metrics.

use serde::Deserialize;

use crate::{
    ports::run_event::{FINISHED, PAUSED, RunEvent},
    telemetry::metrics::runs::{ActiveRun, RunEnd},
};

/// A run that has started.
#[derive(Debug)]
pub(super) struct MeasuredRun {
    active: ActiveRun,
    /// Whether an event has shown how the run ended.
    has_outcome: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Finished<'a> {
    #[serde(borrow)]
    data: FinishedData<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FinishedData<'a> {
    #[serde(borrow)]
    status: Option<std::borrow::Cow<'a, str>>,
}

impl MeasuredRun {
    /// Without further events the run was abandoned.
    pub(super) fn new(mut active: ActiveRun) -> Self {
        active.set_outcome(RunEnd::Abandoned);
        Self { active, has_outcome: false }
    }

    pub(super) fn observe(&mut self, event: &RunEvent) {
        let outcome = match &*event.event {
            FINISHED => {
                let finished: Finished<'_> = serde_json::from_slice(&event.json).unwrap_or_default();
                match finished.data.status.as_deref() {
                    Some("succeeded" | "partial-succeeded") => RunEnd::Succeeded,
                    Some("stopped") => RunEnd::Stopped,
                    _ => RunEnd::Failed,
                }
            }
            PAUSED => RunEnd::Paused,
            "error" => RunEnd::Failed,
            // The message of a graph ends before or after the graph, which has the outcome.
            "message_end" if !self.has_outcome => RunEnd::Succeeded,
            _ => return,
        };
        self.has_outcome = true;
        self.active.set_outcome(outcome);
    }

    /// The events have ended, with or without an error.
    pub(super) fn end(&mut self, is_error: bool, is_stopped: bool) {
        if is_stopped {
            self.active.set_outcome(RunEnd::Stopped);
        } else if is_error || !self.has_outcome {
            self.active.set_outcome(RunEnd::Failed);
        }
    }
}
