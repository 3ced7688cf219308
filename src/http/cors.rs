//! CORS (contract section 9): an explicit list of origins, never credentials, and never for cookie routes.

use std::time::Duration;

use axum::Router;
use http::{
    HeaderName, HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::cors::AllowOrigins;

/// Allows origins to read a router of bearer and public routes. With no origins nothing is allowed.
pub fn allow(router: Router, origins: &AllowOrigins) -> Router {
    let allowed = match origins {
        AllowOrigins::Any => AllowOrigin::any(),
        AllowOrigins::Listed(origins) if origins.is_empty() => return router,
        AllowOrigins::Listed(origins) => {
            AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
        }
    };
    router.layer(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_headers([AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("x-csrf-token")])
            .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE, Method::OPTIONS])
            .max_age(Duration::from_mins(10)),
    )
}
