//! Runs a graph from `workflow_started` to `workflow_finished`.

use std::time::Instant;

use tokio::time;

use super::{
    error::RunError, event_writer::EventWriter, execution::Execution, outcome::RunOutcome, scheduler::Scheduler,
};
use crate::{domain::conversation::RunStatus, ports::runtime::RunEvents};

/// Runs a graph and sends its events to `reader`. The run stops when `reader` is closed. There is always an outcome,
/// so that the run can be stored.
pub(crate) async fn run_graph(execution: &Execution, reader: &RunEvents) -> RunOutcome {
    let started = Instant::now();
    let limits = execution.limits;
    let deadline = time::Instant::now() + limits.run_timeout;
    let events = EventWriter::new(execution, reader, deadline);
    let mut scheduler = Scheduler::new(execution, &events);
    let mut pause = None;
    let (status, error) = match scheduler.run(reader, deadline).await {
        Ok(()) if scheduler.exceptions() > 0 => (RunStatus::PartlySucceeded, None),
        Ok(()) => (RunStatus::Succeeded, None),
        Err(RunError::Failed(message)) => (RunStatus::Failed, Some(message)),
        Err(RunError::TimedOut) => {
            let message = format!("The run took longer than {} seconds", limits.run_timeout.as_secs());
            (RunStatus::Failed, Some(message))
        }
        Err(RunError::Paused) => match scheduler.pause(started.elapsed()) {
            Ok(found) => {
                pause = Some(Box::new(found));
                (RunStatus::Stopped, None)
            }
            Err(message) => (RunStatus::Failed, Some(message)),
        },
        Err(RunError::Stopped) => (RunStatus::Stopped, Some("The run was stopped".to_owned())),
        Err(RunError::ClientDisconnected) => (RunStatus::Stopped, Some("The client disconnected".to_owned())),
    };
    let earlier = execution.resumption.as_ref().map_or_else(Default::default, |resumption| resumption.engine.elapsed);
    let mut outcome = scheduler.into_outcome(status, error, earlier + started.elapsed());
    outcome.pause = pause;
    events.write_end(&outcome, time::Instant::now() + limits.last_events_timeout).await;
    outcome
}
