//! The API reference.

use std::sync::LazyLock;

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use crate::{
    domain::{Error, Result},
    http::{
        pages::{api_reference::ApiReference, context::PageContext, renderer::PageTemplate},
        routes::openapi,
    },
};

static COMMUNITY: LazyLock<Option<ApiReference>> = LazyLock::new(|| read(false));
static ENTERPRISE: LazyLock<Option<ApiReference>> = LazyLock::new(|| read(true));

/// The values of the page.
#[derive(Serialize)]
struct ApiReferencePage {
    reference: &'static ApiReference,
    document_url: String,
}

pub(crate) fn show(context: &PageContext) -> Result<Response> {
    let reference = if context.site.enterprise { &*ENTERPRISE } else { &*COMMUNITY };
    let reference = reference.as_ref().ok_or_else(|| Error::internal("the OpenAPI document is not JSON"))?;
    let document_url = context.site.api_url("/openapi/v1/openapi.json");
    context.render(StatusCode::OK, PageTemplate::ApiReference, &ApiReferencePage { reference, document_url })
}

fn read(enterprise: bool) -> Option<ApiReference> {
    Some(ApiReference::of(&serde_json::from_str(openapi(enterprise)).ok()?))
}
