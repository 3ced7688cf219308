//! Documents about the service: OAuth metadata (RFC 8414) and the OpenAPI document.

use axum::{Router, routing::get};
use http::StatusCode;
use serde_json::json;

use super::{answer, routes::openapi};

/// `introspection`: whether this listener serves the introspection endpoint. `enterprise`: whether this is the
/// Enterprise edition.
pub(crate) fn router(issuer: &str, introspection: bool, enterprise: bool) -> Router {
    let mut metadata = json!({
        "issuer": issuer,
        "device_authorization_endpoint": format!("{issuer}/openapi/v1/oauth/device/code"),
        "token_endpoint": format!("{issuer}/openapi/v1/oauth/device/token"),
        "revocation_endpoint": format!("{issuer}/openapi/v1/oauth/revoke"),
        "response_types_supported": ["none"],
        "grant_types_supported": ["urn:ietf:params:oauth:grant-type:device_code"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": ["full", "apps:read", "apps:run", "workspace:read", "workspace:write"],
    });
    if enterprise && let Some(scopes) = metadata["scopes_supported"].as_array_mut() {
        scopes.push(json!("apps:read:permitted-external"));
    }
    if introspection {
        metadata["introspection_endpoint"] = json!(format!("{issuer}/openapi/v1/oauth/introspect"));
    }
    let metadata = metadata.to_string();
    let document = move || {
        let metadata = metadata.clone();
        async move { answer::json(StatusCode::OK, metadata) }
    };
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(document))
        .route("/openapi/v1/openapi.json", get(async move || answer::json(StatusCode::OK, openapi(enterprise))))
}
