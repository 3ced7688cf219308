//! Deadlines of gRPC calls, and details for tonic's own errors (contract section 12).

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use axum::{extract::Request, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::{Code as Grpc, Status};
use tower::Service;

use crate::{
    domain::{Code, Error},
    pipeline::policy::Policy,
    rpc::request::Deadline,
};

/// Limit of the duration of a unary call.
const MAX_CALL_DURATION: Duration = Duration::from_secs(30);
/// The same for an upload.
const MAX_UPLOAD_DURATION: Duration = Duration::from_mins(10);

const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// Ends a call of this service at its deadline.
pub(super) async fn enforce_deadline<S>((): (), request: Request, mut inner: S) -> Result<Response, Infallible>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let policy = Policy::of_grpc_path(request.uri().path());
    let requested = deadline(request.headers());
    if policy.is_some_and(|policy| policy.streams) {
        return enforce_stream_deadline(request, inner, requested).await;
    }
    let max = if policy.is_some_and(|policy| policy.uploads) { MAX_UPLOAD_DURATION } else { MAX_CALL_DURATION };
    let limit = requested.map_or(max, |requested| requested.min(max));
    match tokio::time::timeout(limit, inner.call(request)).await {
        Ok(response) => response.map(with_details),
        Err(_) => Ok(reject(policy, deadline_exceeded())),
    }
}

/// Ends a call of a standard service at its deadline. For a stream, the deadline applies to the beginning of the
/// response.
pub(super) async fn enforce_standard_deadline<S>((): (), request: Request, mut inner: S) -> Result<Response, Infallible>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let limit = deadline(request.headers()).map_or(MAX_CALL_DURATION, |requested| requested.min(MAX_CALL_DURATION));
    match tokio::time::timeout(limit, inner.call(request)).await {
        Ok(response) => response.map(with_standard_details),
        Err(_) => Ok(reject(None, deadline_exceeded())),
    }
}

/// Adds `ErrorInfo` to an error of a standard service.
fn with_standard_details(response: Response) -> Response {
    let Some(status) = Status::from_header_map(response.headers()).filter(|status| status.code() != Grpc::Ok) else {
        return response;
    };
    if !status.details().is_empty() {
        return response;
    }
    let code = match status.code() {
        Grpc::NotFound => Code::NotFound,
        Grpc::Unimplemented => Code::Unimplemented,
        Grpc::ResourceExhausted | Grpc::OutOfRange => Code::RequestEntityTooLarge,
        // The message could not be read or decoded.
        _ => Code::InvalidRequest,
    };
    let message = match code {
        Code::NotFound => "There is no such service here.",
        Code::Unimplemented => "There is no such method.",
        Code::RequestEntityTooLarge => "The message is too large.",
        _ => "The message could not be decoded.",
    };
    reject(None, Error::new(code, message))
}

fn deadline_exceeded() -> Error {
    Error::new(Code::DeadlineExceeded, "The call did not finish before its deadline.")
}

/// Only the caller's deadline limits the duration of a stream.
async fn enforce_stream_deadline<S>(
    request: Request,
    mut inner: S,
    requested: Option<Duration>,
) -> Result<Response, Infallible>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let policy = Policy::of_grpc_path(request.uri().path());
    let (mut parts, body) = request.into_parts();
    if let Some(requested) = requested {
        parts.extensions.insert(Deadline(Instant::now() + requested));
    }
    let response = inner.call(Request::from_parts(parts, body));
    match requested {
        None => response.await.map(with_details),
        Some(requested) => match tokio::time::timeout(requested, response).await {
            Ok(response) => response.map(with_details),
            Err(_) => Ok(reject(policy, deadline_exceeded())),
        },
    }
}

fn reject(policy: Option<&'static Policy>, error: Error) -> Response {
    let mut response: Response = Status::from(error).into_http();
    if let Some(policy) = policy {
        response.extensions_mut().insert(policy);
    }
    response
}

/// Reads `grpc-timeout`: at most eight digits and a unit. A value that is not valid is ignored.
fn deadline(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Maps a status without details, which tonic itself returned because it could not read the message, to an error of the
/// caller.
fn with_details(response: Response) -> Response {
    let headers = response.headers();
    if headers.contains_key("grpc-status-details-bin") {
        return response;
    }
    let error = match headers.get("grpc-status").map(HeaderValue::as_bytes) {
        Some(b"2") => Error::new(Code::InvalidRequest, "The message ended unexpectedly or took too long to arrive."),
        Some(b"11") => Error::new(Code::RequestEntityTooLarge, "The message is too large."),
        Some(b"12") => Error::new(Code::Unimplemented, "This encoding of messages is not supported; use gzip or none."),
        Some(b"13") => Error::new(Code::InvalidRequest, "The message could not be decoded."),
        _ => return response,
    };
    let mut detailed: Response = Status::from(error).into_http();
    // Lists the encodings that are supported.
    if let Some(encodings) = headers.get(ACCEPT_ENCODING) {
        detailed.headers_mut().insert(ACCEPT_ENCODING, encodings.clone());
    }
    *detailed.extensions_mut() = response.extensions().clone();
    detailed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadline_is_digits_and_a_unit() {
        for (text, expected) in [
            ("1H", Some(Duration::from_hours(1))),
            ("2M", Some(Duration::from_mins(2))),
            ("3S", Some(Duration::from_secs(3))),
            ("99999999m", Some(Duration::from_millis(99_999_999))),
            ("5u", Some(Duration::from_micros(5))),
            ("0n", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("123456789S", None),
            ("+1S", None),
            ("1", None),
            ("1s", None),
            ("-1S", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", HeaderValue::from_static(text));
            assert_eq!(deadline(&headers), expected, "{text}");
        }
        assert_eq!(deadline(&HeaderMap::new()), None);
    }

    #[test]
    fn errors_of_standard_services_have_details() {
        for (status, expected) in [
            (Status::not_found("service not registered"), "5"),
            (Status::unimplemented(""), "12"),
            (Status::internal("invalid varint"), "3"),
            (Status::out_of_range("too large"), "8"),
        ] {
            let response = with_standard_details(status.into_http());
            assert_eq!(response.headers()["grpc-status"], expected);
            assert!(response.headers().contains_key("grpc-status-details-bin"));
        }
        assert!(!with_standard_details(Response::default()).headers().contains_key("grpc-status"));
    }

    #[test]
    fn message_that_tonic_cannot_read_is_an_error_of_the_caller() {
        for (status, expected) in [
            (Status::internal("invalid varint"), "3"),
            (Status::out_of_range("too large"), "8"),
            (Status::unimplemented("zstd"), "12"),
        ] {
            let response = with_details(status.into_http());
            assert_eq!(response.headers()["grpc-status"], expected);
            assert!(response.headers().contains_key("grpc-status-details-bin"));
        }
        assert_eq!(with_details(Status::ok("").into_http()).headers()["grpc-status"], "0");
        let internal = with_details(Status::from(Error::internal("a fault")).into_http());
        assert_eq!(internal.headers()["grpc-status"], "13", "an internal error is kept");
    }
}
