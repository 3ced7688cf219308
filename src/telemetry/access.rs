//! The access log: one event a request, on its own target.

use std::time::Duration;

use crate::domain::caller::ClientAddress;

/// The target of access events.
pub(crate) const TARGET: &str = "access";

/// Which codec a request came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// JSON.
    Json,
    /// gRPC.
    Grpc,
    /// Pages.
    Page,
}

impl Door {
    /// Its name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Grpc => "grpc",
            Self::Page => "page",
        }
    }
}

/// A request that has been answered. There is no place in it for a query string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The pattern of the route, such as `/openapi/v1/account/sessions/{id}`, never the path itself.
    pub route: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// From the request's header to the answer's.
    pub duration: Duration,
    /// Who asked.
    pub client: ClientAddress,
    /// The id the answer carries.
    pub request_id: &'a str,
    /// The door.
    pub door: Door,
}

impl Access<'_> {
    /// Writes the event.
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
