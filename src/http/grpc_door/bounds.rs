//! What bounds a unary call and explains tonic's own refusals: the caller's deadline, a deadline of ours, so that a body
//! that never comes holds no stream for ever, and faults of framing in the words of contract section 12.

use std::time::{Duration, Instant};

use axum::{body::Body, extract::Request, middleware::Next, response::Response};
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::Status;

use crate::{
    domain::{Code, Error},
    pipeline::policy::Policy,
    rpc::request::Deadline,
};

/// How long a call may take at most, its message's arrival included.
const LONGEST: Duration = Duration::from_secs(30);

const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// Holds a call to its deadline.
pub(super) async fn bounded(request: Request, next: Next) -> Response {
    let policy = Policy::of_grpc_path(request.uri().path());
    let asked = deadline(request.headers());
    if policy.is_some_and(|policy| policy.streams) {
        return stream_bounded(request, next, asked).await;
    }
    let limit = asked.map_or(LONGEST, |asked| asked.min(LONGEST));
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => explained(response),
        Err(_) => refused(policy, too_late()),
    }
}

/// The same for a service that is not ours: it explains itself. Where it answers with a stream, this is how long the answer
/// may take to begin.
pub(super) async fn in_time(request: Request, next: Next) -> Response {
    let limit = deadline(request.headers()).map_or(LONGEST, |asked| asked.min(LONGEST));
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| refused(None, too_late()))
}

fn too_late() -> Error {
    Error::new(Code::DeadlineExceeded, "The call did not finish before its deadline.")
}

/// A stream lasts as long as what it tells of, or its caller's deadline. Only its message has to arrive in time; it is read
/// once the call has been let in, not before.
async fn stream_bounded(request: Request, next: Next, asked: Option<Duration>) -> Response {
    let policy = Policy::of_grpc_path(request.uri().path());
    let (mut parts, body) = request.into_parts();
    if let Some(asked) = asked {
        parts.extensions.insert(Deadline(Instant::now() + asked));
    }
    let answer = next.run(Request::from_parts(parts, arriving(body)));
    match asked {
        None => explained(answer.await),
        Some(asked) => match tokio::time::timeout(asked, answer).await {
            Ok(response) => explained(response),
            Err(_) => refused(policy, too_late()),
        },
    }
}

/// A body that breaks off when it has not arrived in time.
fn arriving(body: Body) -> Body {
    let by = tokio::time::Instant::now() + LONGEST;
    let pieces = stream::unfold(Some(body.into_data_stream()), move |open| async move {
        let mut body = open?;
        match tokio::time::timeout_at(by, body.next()).await {
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some(body))),
            Ok(Some(Err(cause))) => Some((Err(cause), None)),
            Ok(None) => None,
            Err(late) => Some((Err(axum::Error::new(late)), None)),
        }
    });
    Body::from_stream(pieces)
}

fn refused(policy: Option<&'static Policy>, error: Error) -> Response {
    let mut response: Response = Status::from(error).into_http();
    if let Some(policy) = policy {
        response.extensions_mut().insert(policy);
    }
    response
}

/// `grpc-timeout`: at most eight digits and a unit. One that cannot be read counts as none.
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

/// A status without details is tonic's own: it could not read the message, which is the caller's fault and not ours.
fn explained(response: Response) -> Response {
    let headers = response.headers();
    if headers.contains_key("grpc-status-details-bin") {
        return response;
    }
    let fault = match headers.get("grpc-status").map(HeaderValue::as_bytes) {
        Some(b"2") => Error::new(Code::InvalidRequest, "The message ended unexpectedly or took too long to arrive."),
        Some(b"11") => Error::new(Code::RequestEntityTooLarge, "The message is too large."),
        Some(b"12") => Error::new(Code::Unimplemented, "Compressed messages are not supported."),
        Some(b"13") => Error::new(Code::InvalidRequest, "The message could not be decoded."),
        _ => return response,
    };
    let mut explained: Response = Status::from(fault).into_http();
    // What is spoken instead, where tonic says so.
    if let Some(encodings) = headers.get(ACCEPT_ENCODING) {
        explained.headers_mut().insert(ACCEPT_ENCODING, encodings.clone());
    }
    *explained.extensions_mut() = response.extensions().clone();
    explained
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_digits_and_a_unit() {
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
    fn what_cannot_be_read_is_the_callers_fault() {
        for (status, expected) in [
            (Status::internal("invalid varint"), "3"),
            (Status::out_of_range("too large"), "8"),
            (Status::unimplemented("gzip"), "12"),
        ] {
            let response = explained(status.into_http());
            assert_eq!(response.headers()["grpc-status"], expected);
            assert!(response.headers().contains_key("grpc-status-details-bin"));
        }
        assert_eq!(explained(Status::ok("").into_http()).headers()["grpc-status"], "0");
        let ours = explained(Status::from(Error::internal("a fault")).into_http());
        assert_eq!(ours.headers()["grpc-status"], "13", "our own faults stay ours");
    }
}
