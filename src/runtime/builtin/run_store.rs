//! Stores a run when it ends.
//!
//! A run is stored once, before its last event is sent: a caller who receives the end finds the conversation stored,
//! and a run that cannot be stored ends with an error.

use std::{fmt, time::Duration};

use serde_json::Value;

use super::{json::JsonObject, run_context::RuntimeDependencies};
use crate::{
    domain::{Code, Error, Result, conversation::RunRecord},
    ports::runtime::{RunEvent, RunEvents},
};

/// How long each of the last events waits for a reader that is connected but does not read.
const LAST_EVENT_TIMEOUT: Duration = Duration::from_mins(1);

/// Stores a run, sends the events that were held back until then, and closes the stream.
pub(super) async fn store_and_finish(
    dependencies: &RuntimeDependencies,
    record: RunRecord,
    last: Vec<Result<RunEvent>>,
    out: RunEvents,
) {
    let stored = dependencies.sql.record_run(&record).await;
    finish(dependencies, stored, last, out).await;
}

/// Sends the events that were held back until the run was stored, or the error, and closes the stream.
pub(super) async fn finish(
    dependencies: &RuntimeDependencies,
    stored: Result<()>,
    last: Vec<Result<RunEvent>>,
    out: RunEvents,
) {
    let last = match stored {
        Ok(()) => last,
        Err(error) => {
            // The HTTP or gRPC layer logs the error that it sends. Without a reader, it is logged here.
            if out.is_closed() {
                tracing::error!(error = %WithSource(&error), "a run was not stored");
            }
            vec![Err(error)]
        }
    };
    for event in last {
        // The run is stored. Neither a reader that left nor one that does not read delays the shutdown.
        let sent = tokio::select! {
            biased;
            sent = out.send(event) => sent.is_ok(),
            () = dependencies.shutdown.cancelled() => false,
            () = tokio::time::sleep(LAST_EVENT_TIMEOUT) => false,
        };
        if !sent {
            break;
        }
    }
}

/// Displays an error with its source.
struct WithSource<'a>(&'a Error);

impl fmt::Display for WithSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::error::Error::source(self.0) {
            Some(source) => write!(f, "{}: {source}", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

/// The last item of a stream whose run ends because the server stops.
pub(super) fn server_stopping() -> Error {
    Error::new(Code::ServiceUnavailable, "The server is stopping.").with_retry_after(Duration::from_secs(5))
}

/// The inputs and the system variables, as Dify stores them with a run.
pub(super) fn stored_inputs(inputs: &JsonObject, system: &JsonObject) -> Value {
    let system = system.iter().map(|(name, value)| (format!("sys.{name}"), value.clone()));
    Value::Object(inputs.clone().into_iter().chain(system).collect())
}
