//! CORS (contract section 9): an explicit list of origins, never credentials, and never for cookie routes.

use std::time::Duration;

use axum::Router;
use http::{
    HeaderName, HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Allows `origins` to read a router of bearer and public routes; `*` stands for every origin. With no origins nothing is allowed.
pub fn allow(router: Router, origins: &[String]) -> Router {
    if origins.is_empty() {
        return router;
    }
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    router.layer(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_headers([AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("x-csrf-token")])
            .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE, Method::OPTIONS])
            .max_age(Duration::from_secs(600)),
    )
}
