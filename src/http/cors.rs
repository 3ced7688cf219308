//! CORS (contract section 9): listed origins only, without credentials, and not for cookie routes.

use std::time::Duration;

use axum::Router;
use http::{
    HeaderName, HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use tonic::Status;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::cors::AllowOrigins;

/// Allows origins to call a router of bearer and public routes. An empty list allows none.
pub(crate) fn allow(router: Router, origins: &AllowOrigins) -> Router {
    let Some(layer) = layer(origins) else { return router };
    router.layer(
        layer.allow_headers([AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("x-csrf-token")]).allow_methods([
            Method::GET,
            Method::POST,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ]),
    )
}

/// Allows origins to call gRPC methods by gRPC-Web, and to read the status. An empty list allows none.
pub(crate) fn allow_grpc_web(router: Router, origins: &AllowOrigins) -> Router {
    let Some(layer) = layer(origins) else { return router };
    let headers = ["x-grpc-web", "x-user-agent", "grpc-timeout"].map(HeaderName::from_static);
    router.layer(
        layer
            .allow_headers([AUTHORIZATION, CONTENT_TYPE].into_iter().chain(headers).collect::<Vec<_>>())
            .expose_headers([Status::GRPC_STATUS, Status::GRPC_MESSAGE, Status::GRPC_STATUS_DETAILS])
            .allow_methods([Method::POST]),
    )
}

fn layer(origins: &AllowOrigins) -> Option<CorsLayer> {
    let allowed = match origins {
        AllowOrigins::Any => AllowOrigin::any(),
        AllowOrigins::Listed(origins) if origins.is_empty() => return None,
        AllowOrigins::Listed(origins) => {
            AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
        }
    };
    Some(CorsLayer::new().allow_origin(allowed).max_age(Duration::from_mins(10)))
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::get};
    use http::{Request, StatusCode, header::ACCESS_CONTROL_ALLOW_ORIGIN};
    use tower::ServiceExt as _;

    use super::*;
    use crate::http::fallback;

    async fn send(method: Method, origin: &str) -> (StatusCode, Option<String>) {
        let inner =
            Router::new().route("/", get(async || "")).method_not_allowed_fallback(fallback::method_not_allowed);
        let origins = AllowOrigins::Listed(vec!["https://app.example".to_owned()]);
        // The application sets the same fallback on the outer router.
        let router = allow(inner, &origins).method_not_allowed_fallback(fallback::method_not_allowed);
        let request = Request::builder()
            .method(method)
            .uri("/")
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .body(Body::empty())
            .unwrap();
        let response = router.oneshot(request).await.unwrap();
        let allowed =
            response.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().unwrap().to_owned());
        (response.status(), allowed)
    }

    #[tokio::test]
    async fn preflight_of_a_listed_origin_is_allowed() {
        let listed = Some("https://app.example".to_owned());
        assert_eq!(send(Method::OPTIONS, "https://app.example").await, (StatusCode::OK, listed.clone()));
        assert_eq!(send(Method::OPTIONS, "https://evil.example").await, (StatusCode::OK, None));
        assert_eq!(send(Method::GET, "https://app.example").await, (StatusCode::OK, listed.clone()));
        assert_eq!(send(Method::PUT, "https://app.example").await, (StatusCode::METHOD_NOT_ALLOWED, listed));
    }
}
