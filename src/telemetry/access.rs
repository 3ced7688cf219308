//! The access log: one event for each request.

use std::time::Duration;

use http::Method;

use crate::domain::caller::ClientAddress;

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
pub enum Door {
    Json,
    Grpc,
    Page,
}

impl Door {
    /// The name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Grpc => "grpc",
            Self::Page => "page",
        }
    }
}

/// An answered request. It has no field for a query string, which may contain a code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access<'a> {
    /// The HTTP method, by [`known_method`].
    pub method: &'static str,
    /// The pattern of the route, such as `/openapi/v1/account/sessions/{id}`, never the path itself.
    pub route: &'static str,
    pub status: u16,
    /// From the headers of the request to those of the response.
    pub duration: Duration,
    pub client: ClientAddress,
    pub request_id: &'a str,
    pub door: Door,
}

impl Access<'_> {
    pub(crate) fn record(&self) {
        tracing::info!(
            target: TARGET,
            method = self.method,
            route = self.route,
            status = self.status,
            duration_us = u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX),
            client = %self.client,
            request_id = self.request_id,
            door = self.door.as_str(),
        );
    }
}
