//! The responses of runs: a stream of events, or one body.

use std::pin::Pin;

use futures_util::{Stream, stream};
use tonic::{Request, Response, Status};

use super::{
    json::Object,
    proto,
    reply::Streamed,
    request::{Deadline, Prefers},
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
    deadline: Option<Deadline>,
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
        Ok(Self { is_streamed, deadline: request.extensions().get::<Deadline>().copied() })
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
        return Ok(streamed(runs.stream_run(running), mode.deadline));
    }
    let body = running.collect().await?;
    let event = body.get("event").and_then(|event| event.as_str()).unwrap_or("workflow_finished").to_owned();
    let data = Some(Object::from(match body {
        serde_json::Value::Object(members) => members,
        _ => return Err(Error::internal("a body that is not an object").into()),
    }));
    Ok(Response::new(Box::pin(stream::once(std::future::ready(Ok(proto::RunAppResponse { event, data }))))))
}

/// A response of events, until their end or the caller's deadline. Dropping it drops their source.
pub(super) fn streamed(events: EventSource, deadline: Option<Deadline>) -> Response<Responses> {
    let mut response = Response::new(responses(events, deadline));
    response.extensions_mut().insert(Streamed);
    response
}

fn responses(events: EventSource, deadline: Option<Deadline>) -> Responses {
    Box::pin(stream::unfold(Some(events), move |open| async move {
        let mut events = open?;
        let next = match deadline {
            None => events.next().await,
            Some(Deadline(at)) => tokio::time::timeout_at(at.into(), events.next()).await.unwrap_or_else(|_| {
                Some(Err(Error::new(Code::DeadlineExceeded, "The run did not finish before the caller's deadline.")))
            }),
        };
        match next? {
            Ok(event) => {
                let data = Some(Object::from(event.json));
                Some((Ok(proto::RunAppResponse { event: event.event.into_owned(), data }), Some(events)))
            }
            Err(error) => Some((Err(error.into()), None)),
        }
    }))
}
