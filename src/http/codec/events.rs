//! Methods that respond with a stream: Server-Sent Events, or one JSON body if the caller prefers it. Events are
//! written as soon as they are ready.

use std::{convert::Infallible, pin::pin, time::Duration};

use axum::{body::Body, extract::Request, response::Response};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tonic::{Status, metadata::MetadataMap};

use super::{
    bind::{self, BindMembers},
    body,
    route::{JsonRoute, failure, route},
    run_form::{self, RunBody},
};
use crate::{
    domain::Error,
    http::{answer, error_body, quality::weighted_members, status::http_status},
    pipeline::policy::Policy,
    rpc::{Rpc, proto, reply::Streamed, request::Prefers, status::domain_error},
};

/// Time without an event after which a ping is written.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Ready events are collected into one write until it has this many bytes.
const WRITE_SIZE: usize = 16 * 1024;
/// Turns off buffering in nginx and compatible proxies.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A message that carries one event.
pub(crate) trait StreamedEvent {
    /// Returns the event as a JSON object.
    fn into_json(self) -> Bytes;
}

impl StreamedEvent for proto::RunAppResponse {
    fn into_json(self) -> Bytes {
        self.data.unwrap_or_default().into_text()
    }
}

/// The route of a method whose message is in the body and the path, and that responds with a stream.
pub(crate) fn events<M, R, S, F, Fut>(policy: &'static Policy, rpc: &Rpc, call: F) -> JsonRoute
where
    M: BindMembers + DeserializeOwned + Default + Send + 'static,
    R: StreamedEvent + Send + 'static,
    S: Stream<Item = Result<R, Status>> + Unpin + Send + 'static,
    F: Fn(Rpc, tonic::Request<M>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<tonic::Response<S>, Status>> + Send,
{
    let rpc = rpc.clone();
    route(policy, move |request: Request| {
        let (rpc, call) = (rpc.clone(), call.clone());
        async move {
            let (mut parts, body) = request.into_parts();
            let bound = match run_form::to_json(&rpc, &mut parts, body, policy).await {
                Ok(RunBody { body, _memory }) => body::bound::<M>(&mut parts, body, policy, rpc.memory()).await,
                Err(error) => Err(error),
            };
            let (message, _memory) = match bound {
                Ok(bound) => bound,
                Err(error) => return error_body::respond(&error, Some(policy)),
            };
            let format = if policy.always_streams { Prefers::OnlyEvents } else { preferred_format(&parts.headers) };
            parts.extensions.insert(format);
            let metadata = MetadataMap::from_headers(parts.headers);
            match call(rpc, tonic::Request::from_parts(metadata, parts.extensions, message)).await {
                Ok(reply) => respond(policy, reply).await,
                Err(status) => failure(policy, &status),
            }
        }
    })
}

/// The route of a method whose message is in the query and the path, and that responds with a stream.
pub(crate) fn query_events<M, R, S, F, Fut>(policy: &'static Policy, rpc: &Rpc, call: F) -> JsonRoute
where
    M: BindMembers + Default + Send + 'static,
    R: StreamedEvent + Send + 'static,
    S: Stream<Item = Result<R, Status>> + Unpin + Send + 'static,
    F: Fn(Rpc, tonic::Request<M>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<tonic::Response<S>, Status>> + Send,
{
    let rpc = rpc.clone();
    route(policy, move |request: Request| {
        let (rpc, call) = (rpc.clone(), call.clone());
        async move {
            let (mut parts, _) = request.into_parts();
            let message = match bind::query::<M>(&mut parts, policy).await {
                Ok(message) => message,
                Err(error) => return error_body::respond(&error, Some(policy)),
            };
            let metadata = MetadataMap::from_headers(parts.headers);
            match call(rpc, tonic::Request::from_parts(metadata, parts.extensions, message)).await {
                Ok(reply) => respond(policy, reply).await,
                Err(status) => failure(policy, &status),
            }
        }
    })
}

async fn respond<R, S>(policy: &'static Policy, reply: tonic::Response<S>) -> Response
where
    R: StreamedEvent + Send + 'static,
    S: Stream<Item = Result<R, Status>> + Unpin + Send + 'static,
{
    let (_, mut messages, extensions) = reply.into_parts();
    if extensions.get::<Streamed>().is_some() {
        return event_stream(messages);
    }
    match messages.next().await {
        Some(Ok(message)) => answer::json(StatusCode::OK, message.into_json()),
        Some(Err(status)) => failure(policy, &status),
        None => error_body::respond(&Error::internal("a stream without a message"), Some(policy)),
    }
}

fn event_stream<R, S>(messages: S) -> Response
where
    R: StreamedEvent + Send + 'static,
    S: Stream<Item = Result<R, Status>> + Unpin + Send + 'static,
{
    let mut response = Response::new(Body::from_stream(write_events(messages, PING_INTERVAL)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// Writes each message as an event, a ping after each `ping_interval` without one, and an error as the last event.
fn write_events<R, S>(messages: S, ping_interval: Duration) -> impl Stream<Item = Result<Bytes, Infallible>> + Send
where
    R: StreamedEvent + Send + 'static,
    S: Stream<Item = Result<R, Status>> + Unpin + Send,
{
    let mut pings = interval_at(Instant::now() + ping_interval, ping_interval);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    stream::unfold(Some((messages, pings)), |open| async {
        let (mut messages, mut pings) = open?;
        let mut buffer = BytesMut::new();
        let mut ended = tokio::select! {
            biased;
            message = messages.next() => put(&mut buffer, message),
            () = tick(&mut pings) => {
                buffer.put_slice(b"event: ping\n\n");
                false
            }
        };
        while !ended && buffer.len() < WRITE_SIZE {
            let Some(message) = messages.next().now_or_never() else { break };
            ended = put(&mut buffer, message);
        }
        (!buffer.is_empty()).then(|| (Ok(buffer.freeze()), (!ended).then_some((messages, pings))))
    })
}

async fn tick(pings: &mut Interval) {
    pin!(pings.tick()).await;
}

/// Writes an event. Returns whether it is the last one.
fn put<R: StreamedEvent>(buffer: &mut BytesMut, message: Option<Result<R, Status>>) -> bool {
    match message {
        Some(Ok(message)) => {
            put_event(buffer, &message.into_json());
            false
        }
        Some(Err(status)) => {
            put_event(buffer, &error_event(&status));
            true
        }
        None => true,
    }
}

/// Replaces line breaks by spaces: in JSON they are insignificant, in an event stream they would end the event.
fn put_event(buffer: &mut BytesMut, json: &[u8]) {
    buffer.reserve(json.len() + 8);
    buffer.put_slice(b"data: ");
    let start = buffer.len();
    buffer.put_slice(json);
    for byte in &mut buffer[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    buffer.put_slice(b"\n\n");
}

/// An error after the first event, in Dify's format.
#[derive(Serialize)]
struct SseErrorEvent<'a> {
    event: &'a str,
    status: u16,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

fn error_event(status: &Status) -> Vec<u8> {
    let unknown = Error::internal("a bare status");
    let error = domain_error(status).unwrap_or(&unknown);
    let event = SseErrorEvent {
        event: "error",
        status: http_status(error.code()).as_u16(),
        code: error.code().as_str(),
        message: error.message(),
        hint: error.hint(),
    };
    serde_json::to_vec(&event).unwrap_or_default()
}

/// The response format with the higher weight in `Accept` (RFC 9110 section 12.5.1); JSON when both are equal.
fn preferred_format(headers: &HeaderMap) -> Prefers {
    let (mut events, mut json) = (0.0, 0.0);
    for (kind, weight) in weighted_members(headers, &ACCEPT) {
        match kind.to_ascii_lowercase().as_str() {
            "text/event-stream" => events = weight,
            "application/json" => json = weight,
            _ => {}
        }
    }
    if events > json { Prefers::Events } else { Prefers::Json }
}

#[cfg(test)]
mod tests;
