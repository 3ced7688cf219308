//! The access log: one event for each request.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, Method};
use opentelemetry::trace::SpanContext;

use crate::domain::{caller::ClientAddress, secret::hex};

/// The target of access events.
pub(crate) const TARGET: &str = "access";

/// The name of a method in logs and traces. Clients may send any token as a method, so all unknown ones have one name,
/// as in the semantic conventions of OpenTelemetry.
pub(crate) fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}

/// The way by which a request enters the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Door {
    Json,
    Grpc,
    Page,
}

impl Door {
    /// The name in logs and metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Grpc => "grpc",
            Self::Page => "page",
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The HTTP status; [`CLIENT_CLOSED`] if the client left before the response.
    pub status: u16,
    /// The name of the gRPC status of a gRPC call.
    pub grpc_status: Option<&'static str>,
    /// Whether the client left before the end of the response.
    pub is_aborted: bool,
}

/// The status of a request without a response, by the convention of nginx.
pub(crate) const CLIENT_CLOSED: u16 = 499;

impl Outcome {
    /// A response that was sent completely.
    pub(crate) const fn complete(status: u16, grpc_status: Option<&'static str>) -> Self {
        Self { status, grpc_status, is_aborted: false }
    }

    /// The `error.type` of OpenTelemetry's conventions, if the server has failed.
    pub(crate) fn error_type(self) -> Option<Cow<'static, str>> {
        match self.grpc_status {
            Some(name) => SERVER_ERRORS.contains(&name).then_some(Cow::Borrowed(name)),
            None => (self.status >= 500).then(|| Cow::Owned(self.status.to_string())),
        }
    }
}

/// The names of gRPC's statuses by their number.
const GRPC_STATUSES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
/// The statuses that OpenTelemetry's conventions count as errors of a server.
const SERVER_ERRORS: [&str; 6] =
    ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"];

/// The status in a response's headers or trailers.
pub(crate) fn grpc_status(headers: &HeaderMap) -> Option<&'static str> {
    let number = headers.get("grpc-status")?.to_str().ok().and_then(|number| number.parse::<usize>().ok());
    Some(number.and_then(|number| GRPC_STATUSES.get(number)).copied().unwrap_or("UNKNOWN"))
}

/// The status that a gRPC client derives from an HTTP response without one, by gRPC's mapping.
pub(crate) const fn grpc_status_of_http(status: u16) -> &'static str {
    match status {
        400 => "INTERNAL",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "UNIMPLEMENTED",
        429 | 502 | 503 | 504 => "UNAVAILABLE",
        _ => "UNKNOWN",
    }
}

/// A request that has ended. It has no field for a query string, which may contain a code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccessEvent<'a> {
    /// The HTTP method, by [`known_method`].
    pub method: &'static str,
    /// The pattern of the route, such as `/openapi/v1/account/sessions/{id}`, never the path itself.
    pub route: &'static str,
    pub outcome: Outcome,
    /// From the headers of the request to those of the response, or to the end of a stream or a gRPC call.
    pub duration: Duration,
    pub client: ClientAddress,
    pub request_id: &'a str,
    pub door: Door,
    /// Where the request is in a trace.
    pub place: Option<&'a SpanContext>,
}

impl AccessEvent<'_> {
    pub(crate) fn record(&self) {
        tracing::info!(
            target: TARGET,
            method = self.method,
            route = self.route,
            status = self.outcome.status,
            grpc_status = self.outcome.grpc_status,
            aborted = self.outcome.is_aborted.then_some(true),
            duration_us = u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX),
            client = %self.client,
            request_id = self.request_id,
            door = self.door.as_str(),
            trace_id = self.place.map(|place| hex(&place.trace_id().to_bytes())),
            span_id = self.place.map(|place| hex(&place.span_id().to_bytes())),
        );
    }
}
