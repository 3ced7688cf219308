//! Parts of responses: JSON bodies, cookies and `Retry-After`.

use std::time::Duration;

use axum::{body::Body, response::Response};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER, SET_COOKIE},
};

use crate::rpc::reply::{SetCookie, SetCookies};

/// A response whose body is JSON text.
pub(crate) fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The response of a call that has deleted something.
pub(crate) fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A redirect without a body; 500 for an address that no header can hold.
pub(crate) fn redirect(status: StatusCode, location: &str) -> Response {
    let mut response = Response::new(Body::empty());
    match HeaderValue::from_str(location) {
        Ok(value) => {
            *response.status_mut() = status;
            response.headers_mut().insert(LOCATION, value);
        }
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    response
}

/// The response to a client that has the current version.
pub(crate) fn not_modified(tag: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    set_entity_tag(&mut response, tag);
    response
}

/// Sets the tag, and lets clients keep the response as long as they check it each time.
pub(crate) fn set_entity_tag(response: &mut Response, tag: &str) {
    if let Ok(value) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(ETAG, value);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
}

/// Sets `Retry-After`, if the status is 429 or 503.
pub(crate) fn retry_after(response: &mut Response, after: Duration) {
    if matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().insert(RETRY_AFTER, whole_seconds(after).into());
    }
}

/// Rounds up to whole seconds, at least one.
pub(crate) fn whole_seconds(after: Duration) -> u64 {
    (after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1)
}

pub(crate) fn set_cookie(response: &mut Response, cookie: &SetCookie) {
    if let Ok(value) = HeaderValue::from_str(cookie.expose()) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

pub(crate) fn set_cookies(response: &mut Response, cookies: &SetCookies) {
    for cookie in &cookies.0 {
        set_cookie(response, cookie);
    }
}
