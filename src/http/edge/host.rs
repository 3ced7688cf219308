//! Checks the `Host` header of requests (RFC 9112 section 3.2).

use std::{convert::Infallible, sync::Arc};

use axum::{extract::Request, response::Response};
use http::{HeaderMap, Version, header::HOST};
use tonic::Status;
use tower::Service;

use super::settings::EdgeSettings;
use crate::{
    domain::{Code, Error, Result},
    http::{error_body, grpc_door::speaks_grpc},
};

pub(super) async fn check<S>(edge: Arc<EdgeSettings>, request: Request, mut inner: S) -> Result<Response, Infallible>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    if let Err(error) = check_host(&request, edge.loopback_hosts_only) {
        let is_grpc = speaks_grpc(request.headers());
        return Ok(if is_grpc { Status::from(error).into_http() } else { error_body::respond(&error, None) });
    }
    inner.call(request).await
}

fn check_host<B>(request: &http::Request<B>, loopback_only: bool) -> Result<()> {
    if !is_valid(request.version(), request.headers()) {
        return Err(Error::new(Code::InvalidRequest, "The request needs exactly one valid Host header."));
    }
    if loopback_only && !names_loopback(request) {
        return Err(Error::new(
            Code::MisdirectedRequest,
            "This development server only answers to localhost and 127.0.0.1.",
        ));
    }
    Ok(())
}

/// HTTP/1.1 requires the header; HTTP/2 has `:authority` in its place.
fn is_valid(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => version != Version::HTTP_11,
        // The authority form has no user name. An empty value is valid where the target has no host.
        (Some(host), None) => host
            .to_str()
            .is_ok_and(|host| host.is_empty() || !host.contains('@') && host.parse::<http::uri::Authority>().is_ok()),
        (Some(_), Some(_)) => false,
    }
}

fn names_loopback<B>(request: &http::Request<B>) -> bool {
    let host = request.uri().host().or_else(|| request.headers().get(HOST)?.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}
