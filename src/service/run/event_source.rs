//! The events that a response streams: those of a run, or of one that is followed.

use super::{Runs, follow::Followed, running::Running};
use crate::{
    domain::Result,
    ports::runtime::RunEvent,
    telemetry::metrics::runs::{ActiveStream, StreamKind},
};

/// A source of events, which is counted as an active stream.
pub(crate) struct EventSource {
    kind: SourceKind,
    _stream: ActiveStream,
}

enum SourceKind {
    Running(Box<Running>),
    Followed(Followed),
}

impl Runs {
    /// The events of a run for the response to the caller that started it.
    pub(crate) fn stream_run(&self, running: Running) -> EventSource {
        let stream = self.context.metrics.runs.begin_stream(StreamKind::Run);
        EventSource { kind: SourceKind::Running(Box::new(running)), _stream: stream }
    }

    /// The events of a run for the response to a caller that follows it.
    pub(crate) fn stream_followed(&self, followed: Followed) -> EventSource {
        let stream = self.context.metrics.runs.begin_stream(StreamKind::Follower);
        EventSource { kind: SourceKind::Followed(followed), _stream: stream }
    }
}

impl EventSource {
    /// The next event; `None` at the end. An error is the last item.
    pub(crate) async fn next(&mut self) -> Option<Result<RunEvent>> {
        match &mut self.kind {
            SourceKind::Running(running) => running.next().await,
            SourceKind::Followed(followed) => followed.next().await,
        }
    }
}
