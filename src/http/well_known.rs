//! Documents about the service: OAuth metadata (RFC 8414) and the OpenAPI document.

use axum::{Router, body::Body, response::Response, routing::get};
use http::{HeaderValue, header::CONTENT_TYPE};
use serde_json::json;

use super::routes::OPENAPI;

/// The documents' routes. The introspection endpoint is named only where it is served.
pub fn router(issuer: &str, introspection: bool) -> Router {
    let mut metadata = json!({
        "issuer": issuer,
        "device_authorization_endpoint": format!("{issuer}/openapi/v1/oauth/device/code"),
        "token_endpoint": format!("{issuer}/openapi/v1/oauth/device/token"),
        "revocation_endpoint": format!("{issuer}/openapi/v1/oauth/revoke"),
        "response_types_supported": ["none"],
        "grant_types_supported": ["urn:ietf:params:oauth:grant-type:device_code"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": ["full", "apps:read", "apps:run"],
    });
    if introspection {
        metadata["introspection_endpoint"] = json!(format!("{issuer}/openapi/v1/oauth/introspect"));
    }
    let metadata = metadata.to_string();
    let document = move || {
        let metadata = metadata.clone();
        async move { json_document(metadata.into()) }
    };
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(document))
        .route("/openapi/v1/openapi.json", get(async || json_document(OPENAPI.into())))
}

fn json_document(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
