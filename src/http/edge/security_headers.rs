//! The headers of contract section 9.

use axum::response::Response;
use http::{HeaderName, HeaderValue};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::http::grpc_door::speaks_grpc;

/// Makes browsers use https only for one year (RFC 6797).
pub(super) const STRICT_TRANSPORT: &str = "max-age=31536000";

/// Sets a header that the handler has not set; without a value it does nothing. gRPC responses have none of these
/// headers; they are recognized by the response, so that a request header cannot remove the headers of another
/// response.
pub(super) fn unless_set(
    name: HeaderName,
    value: Option<&'static str>,
) -> SetResponseHeaderLayer<impl FnMut(&Response) -> Option<HeaderValue> + Clone> {
    SetResponseHeaderLayer::if_not_present(name, move |response: &Response| {
        value.filter(|_| !speaks_grpc(response.headers())).map(HeaderValue::from_static)
    })
}
