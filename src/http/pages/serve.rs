//! Serves pages: runs the pipeline, calls the handler of the route, renders errors, and sets the headers of all pages.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    extract::Request,
    response::Response,
    routing::{MethodFilter, MethodRouter, on},
};
use chrono::TimeDelta;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY},
};

use super::{
    context::PageContext, error_page, error_redirect, form::Form, language, route_table::PageRoute, site::Site,
};
use crate::{
    domain::Result,
    http::answer::set_cookie,
    pipeline::{
        browser::{FormCsrf, csrf_mismatch},
        fetch_site::is_cross_site,
        policy::Policy,
    },
    rpc::reply::CSRF_TOKEN,
};

/// Nothing from other origins, nothing inline, no frames.
const SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                               form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Lifetime of the cookie that remembers the chosen language.
const LANGUAGE_LIFETIME: TimeDelta = TimeDelta::days(365);

/// Routes the method of a page to its handler.
pub(super) fn method_router(site: &Arc<Site>, route: &'static PageRoute) -> MethodRouter {
    let site = Arc::clone(site);
    let filter = match route.policy.http.map(|http| http.verb) {
        Some("POST") => MethodFilter::POST,
        _ => MethodFilter::GET,
    };
    on(filter, move |request: Request| {
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(serve(site, route, request).await) }
    })
}

/// Answers a request for a page.
pub(super) async fn serve(site: Arc<Site>, route: &'static PageRoute, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut context = PageContext::new(site, parts).await;
    let admitted = admit(&mut context, route, body).await;
    let context = Arc::new(context);
    let result = match admitted {
        Ok(()) => match error_redirect::noticed_error(&context) {
            Some(error) => error_page::render(&context, StatusCode::OK, &error),
            None => (route.handler)(Arc::clone(&context)).await,
        },
        Err(error) => Err(error),
    };
    let mut response = result.unwrap_or_else(|error| error_page::respond(&context, &error));
    set_common_headers(&context, &mut response);
    // The edge logs the path pattern of the policy, since the path itself may contain a handle.
    let policy: &'static Policy = &route.policy;
    response.extensions_mut().insert(policy);
    response
}

/// Reads the form before the pipeline runs, because the form holds the CSRF token that the pipeline checks.
async fn admit(context: &mut PageContext, route: &'static PageRoute, body: Body) -> Result<()> {
    if is_embedded_by_other_site(&context.parts.headers) {
        return Err(csrf_mismatch());
    }
    if context.is_post() {
        context.form = Form::read(&context.parts, body, &context.site.services.memory).await?;
        if let Some(token) = context.form.secret(CSRF_TOKEN) {
            context.parts.extensions.insert(FormCsrf(token.clone()));
        }
    }
    context.site.pipeline.admit(&route.policy, &mut context.parts).await
}

/// Whether another site loads this page as a subresource or in a frame. Such requests must not use up the rate limits
/// of the person at the browser; a followed link is a document and may.
fn is_embedded_by_other_site(headers: &HeaderMap) -> bool {
    is_cross_site(headers) && headers.get("sec-fetch-dest").is_some_and(|dest| dest.as_bytes() != b"document")
}

pub(super) fn set_common_headers(context: &PageContext, response: &mut Response) {
    if let Some(language) = context.switched_language() {
        let cookie =
            context.site.services.cookies.cookie(language::NAME, language.tag(), Some(LANGUAGE_LIFETIME), true);
        set_cookie(response, &cookie);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(SECURITY_POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
