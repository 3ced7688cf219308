//! Errors of API routes that browsers navigate to, as pages. Programs get the same errors as JSON.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{
    HeaderMap,
    header::{ACCEPT, CONTENT_TYPE},
};

use super::{context::PageContext, error_page, serve::set_common_headers, site::Site};
use crate::{domain::Error, http::error_body::ErrorSummary, telemetry::failure};

/// Replaces the body of an error by a page when the browser shows it.
pub(super) async fn show_errors(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let shown = is_navigation(&parts.headers).then(|| parts.clone());
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let (Some(parts), Some(summary)) = (shown, response.extensions().get::<ErrorSummary>().copied()) else {
        return response;
    };
    let context = PageContext::new(site, parts).await;
    let error = Error::new(summary.code, "An error of the API.");
    let error = match summary.retry_after {
        Some(after) => error.with_retry_after(after),
        None => error,
    };
    match error_page::render(&context, response.status(), &error) {
        Ok(page) => {
            let (page, body) = page.into_parts();
            *response.body_mut() = body;
            if let Some(kind) = page.headers.get(CONTENT_TYPE) {
                response.headers_mut().insert(CONTENT_TYPE, kind.clone());
            }
            set_common_headers(&context, &mut response);
        }
        Err(error) => failure::log(&error),
    }
    response
}

/// Whether the request is for a document that a person sees.
fn is_navigation(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accepted| accepted.contains("text/html"))
}
