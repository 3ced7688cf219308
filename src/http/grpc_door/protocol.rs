//! What a gRPC request looks like: POST with a gRPC content type. Browsers send gRPC-Web, which is translated.

use std::convert::Infallible;

use axum::{body::Body, extract::Request, response::Response};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{ALLOW, CONTENT_TYPE},
};
use tonic_web::GrpcWebLayer;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

use crate::{
    domain::{Code, Error},
    http::error_body,
};

const GRPC: [&str; 2] = ["application/grpc", "application/grpc+proto"];
const GRPC_WEB: [&str; 4] = [
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
];

/// Translates gRPC-Web to gRPC and its response back, over HTTP/1.1 and HTTP/2. Other requests pass.
pub(crate) async fn translate_web<S>((): (), request: Request, mut inner: S) -> Result<Response, Infallible>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    if request.method() != Method::POST || !has_content_type(request.headers(), &GRPC_WEB) {
        return inner.call(request).await;
    }
    let inner = service_fn(move |request: http::Request<tonic::body::Body>| inner.call(request.map(Body::new)));
    let response = Box::pin(GrpcWebLayer::new().layer(inner).oneshot(request)).await?;
    Ok(response.map(Body::new))
}

/// Rejects requests to gRPC's paths that are not gRPC, before they count against a limit.
pub(super) async fn require<S>((): (), request: Request, mut inner: S) -> Result<Response, Infallible>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    if request.method() != Method::POST {
        let error = Error::new(Code::MethodNotAllowed, "gRPC methods are called with POST.");
        let mut response = error_body::respond(&error, None);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return Ok(response);
    }
    if !has_content_type(request.headers(), &GRPC) {
        let error = Error::new(Code::UnsupportedMediaType, "This address is for gRPC and gRPC-Web.")
            .with_hint("The JSON API is under /openapi/v1; `GET /openapi/v1/openapi.json` describes it.");
        return Ok(error_body::respond(&error, None));
    }
    inner.call(request).await
}

fn has_content_type(headers: &HeaderMap, kinds: &[&str]) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kinds.contains(&kind))
}
