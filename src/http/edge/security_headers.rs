//! The headers of contract section 9.

use axum::response::Response;
use http::{HeaderName, HeaderValue};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::http::grpc_door::speaks_grpc;

/// Sets a header that the handler has not set. gRPC responses have none of these headers; they are recognized by the
/// response, so that a request header cannot remove the headers of another response.
pub(super) fn unless_set(
    name: HeaderName,
    value: &'static str,
) -> SetResponseHeaderLayer<impl FnMut(&Response) -> Option<HeaderValue> + Clone> {
    SetResponseHeaderLayer::if_not_present(name, move |response: &Response| {
        (!speaks_grpc(response.headers())).then(|| HeaderValue::from_static(value))
    })
}
