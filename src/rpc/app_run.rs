//! The responses of runs: a stream of events, or one body.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, stream};
use tonic::{Request, Response, Status};

use super::{
    json::Object,
    proto,
    reply::Streamed,
    request::{Deadline, Prefers},
    typed_event,
};
use crate::{
    domain::{Code, Error, Result as DomainResult, caller::Caller},
    service::run::{Run, Runs, event_source::EventSource},
};

pub(super) type Responses = Pin<Box<dyn Stream<Item = Result<proto::RunAppResponse, Status>> + Send>>;

/// How a run responds.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunMode {
    is_streamed: bool,
    format: EventFormat,
}

/// How events are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventFormat {
    deadline: Option<Deadline>,
    /// Whether events are also sent as typed messages: JSON does not have them.
    is_typed: bool,
}

impl EventFormat {
    pub(super) fn of<T>(request: &Request<T>) -> Self {
        let extensions = request.extensions();
        Self { deadline: extensions.get().copied(), is_typed: extensions.get::<Prefers>().is_none() }
    }

    fn response(self, event: String, json: Bytes) -> proto::RunAppResponse {
        let typed = if self.is_typed { typed_event::typed(&event, &json) } else { None };
        proto::RunAppResponse { event, data: Some(Object::from(json)), typed }
    }
}

impl RunMode {
    /// Reads `response_mode` or, without it, the preference of the door.
    pub(super) fn of<T>(request: &Request<T>, response_mode: Option<&str>) -> DomainResult<Self> {
        let format = request.extensions().get();
        let is_streamed = match response_mode {
            _ if format == Some(&Prefers::OnlyEvents) => true,
            Some("streaming") => true,
            Some("blocking") => false,
            Some(_) => return Err(Error::invalid_param("body", "response_mode", "must be `streaming` or `blocking`")),
            None => format != Some(&Prefers::Json),
        };
        Ok(Self { is_streamed, format: EventFormat::of(request) })
    }
}

/// Starts a run and responds with its events, or waits for its end.
pub(super) async fn respond(
    runs: &Runs,
    caller: &Caller,
    run: Run,
    mode: RunMode,
) -> Result<Response<Responses>, Status> {
    let running = runs.start(caller, run).await?;
    if mode.is_streamed {
        return Ok(streamed(runs.stream_run(running), mode.format));
    }
    let body = running.collect().await?;
    let event = body.get("event").and_then(|event| event.as_str()).unwrap_or("workflow_finished").to_owned();
    let last = mode.format.response(event, body.to_string().into());
    Ok(Response::new(Box::pin(stream::once(std::future::ready(Ok(last))))))
}

/// A response of events, until their end or the caller's deadline. Dropping it drops their source.
pub(super) fn streamed(events: EventSource, format: EventFormat) -> Response<Responses> {
    let mut response = Response::new(responses(events, format));
    response.extensions_mut().insert(Streamed);
    response
}

fn responses(events: EventSource, format: EventFormat) -> Responses {
    Box::pin(stream::unfold(Some(events), move |open| async move {
        let mut events = open?;
        let next = match format.deadline {
            None => events.next().await,
            Some(Deadline(at)) => tokio::time::timeout_at(at.into(), events.next()).await.unwrap_or_else(|_| {
                Some(Err(Error::new(Code::DeadlineExceeded, "The run did not finish before the caller's deadline.")))
            }),
        };
        match next? {
            Ok(event) => Some((Ok(format.response(event.event.into_owned(), event.json)), Some(events))),
            Err(error) => Some((Err(error.into()), None)),
        }
    }))
}
