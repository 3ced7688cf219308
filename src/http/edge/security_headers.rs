//! The headers of contract section 9.

use axum::response::Response;
use http::{
    HeaderName, HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};

use crate::http::grpc_door::speaks_grpc;

const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];
/// Makes browsers use https only for one year (RFC 6797).
const STRICT_TRANSPORT: (HeaderName, HeaderValue) =
    (STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));

/// Sets the headers that the handler has not set. gRPC responses have none of them; they are recognized by the
/// response, so that a request header cannot remove the headers of another response.
pub(super) fn setter(is_https: bool) -> impl Fn(Response) -> Response + Clone {
    move |mut response| {
        if !speaks_grpc(response.headers()) {
            for (name, value) in HEADERS.into_iter().chain(is_https.then_some(STRICT_TRANSPORT)) {
                response.headers_mut().entry(name).or_insert(value);
            }
        }
        response
    }
}
