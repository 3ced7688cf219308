//! A run in progress, as its first reader sees it.

use std::collections::VecDeque;

use serde_json::Value;
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    collect::Collector,
    measured::MeasuredRun,
    recorder::{Recorder, Recorders},
};
use crate::{
    domain::{Code, Error, Result, app::AppMode, id::EndUserId},
    memory::MemoryPermit,
    ports::{
        run_event::{FORM_REQUIRED, RunEvent},
        runtime::RunStream,
    },
    service::app::run_slots::RunSlot,
    telemetry::{carry::carry, failure},
};

/// A run in progress. Dropping it cancels the run, unless the run outlives its reader.
pub struct Running {
    mode: AppMode,
    outlives_reader: bool,
    tasks: TaskTracker,
    /// `None` once it has ended.
    source: Option<RecordedStream>,
}

/// The events of a run, which are recorded as they are read.
pub(super) struct RecordedStream {
    /// An event that was read and is not recorded yet.
    pub unrecorded: Option<RunEvent>,
    /// What was recorded but not returned yet.
    pub recorded: VecDeque<Result<RunEvent>>,
    pub stream: RunStream,
    pub owner: EndUserId,
    pub has_graph: bool,
    pub stop: CancellationToken,
    pub recorders: Recorders,
    pub recorder: Option<Recorder>,
    /// Counts the run as active.
    pub measured: MeasuredRun,
    pub _slot: RunSlot,
    pub _definition_memory: MemoryPermit,
}

impl RecordedStream {
    /// The next event, after it is recorded. A form is returned once its pause is recorded, too: a reader may submit it
    /// at once, and the log of the run that continues begins after the pause.
    async fn next(&mut self) -> Option<Result<RunEvent>> {
        loop {
            let waits = matches!(self.recorded.back(), Some(Ok(event)) if event.event == FORM_REQUIRED);
            if !self.recorded.is_empty() && !waits {
                return self.recorded.pop_front();
            }
            match self.record_next().await {
                Some(item) => self.recorded.push_back(item),
                None => return self.recorded.pop_front(),
            }
        }
    }

    async fn record_next(&mut self) -> Option<Result<RunEvent>> {
        if self.unrecorded.is_none() {
            match self.stream.next().await {
                Some(Ok(event)) => {
                    self.measured.observe(&event);
                    self.unrecorded = Some(event);
                }
                end => {
                    let is_error = matches!(end, Some(Err(_)));
                    self.measured.end(is_error, self.stop.is_cancelled());
                    return end;
                }
            }
        }
        // When this future is dropped while it waits, the event stays for the log.
        let event = self.unrecorded.as_ref()?;
        if self.recorder.is_none() {
            let stop = self.stop.clone();
            self.recorder = self.recorders.open_for(event, self.owner, self.has_graph, stop).await;
        }
        if let Some(recorder) = &self.recorder {
            recorder.record(event).await;
        }
        let event = self.unrecorded.take()?;
        if let Some(recorder) = self.recorder.as_ref().filter(|_| event.ends_segment()) {
            recorder.close().await;
        }
        Some(Ok(event))
    }

    /// Reads the run to its end, for its log alone.
    pub(super) async fn drain(mut self) {
        while let Some(next) = self.next().await {
            if let Err(error) = next {
                failure::log(&error);
            }
        }
    }
}

impl Running {
    pub(super) fn new(mode: AppMode, outlives_reader: bool, tasks: TaskTracker, source: RecordedStream) -> Self {
        Self { mode, outlives_reader, tasks, source: Some(source) }
    }

    /// The next event; `None` at the end. An error is the last item.
    pub async fn next(&mut self) -> Option<Result<RunEvent>> {
        let next = self.source.as_mut()?.next().await;
        if !matches!(next, Some(Ok(_))) {
            self.source = None;
        }
        next
    }

    /// Waits for the end and returns the body of a blocking run.
    pub async fn collect(mut self) -> Result<Value> {
        let mut collector = Collector::new(self.mode);
        while let Some(event) = self.next().await {
            if let Some(body) = collector.add(&event?)? {
                return Ok(body);
            }
        }
        collector.finish().ok_or_else(|| Error::new(Code::UpstreamError, "The run ended unexpectedly."))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let source = self.source.take().filter(|_| self.outlives_reader);
        if let (Some(source), Ok(runtime)) = (source, Handle::try_current()) {
            self.tasks.spawn_on(carry(source.drain()), &runtime);
        }
    }
}

#[cfg(test)]
mod tests;
