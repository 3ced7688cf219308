//! Checks the host name of requests.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::header::HOST;

use super::settings::EdgeSettings;
use crate::{
    domain::{Code, Error},
    http::error_body,
};

pub(super) async fn check(State(edge): State<Arc<EdgeSettings>>, request: Request, next: Next) -> Response {
    if edge.loopback_hosts_only && !names_loopback(&request) {
        return error_body::respond(
            &Error::new(Code::MisdirectedRequest, "This development server only answers to localhost and 127.0.0.1."),
            None,
        );
    }
    next.run(request).await
}

fn names_loopback<B>(request: &http::Request<B>) -> bool {
    let host = request.uri().host().or_else(|| request.headers().get(HOST)?.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}
