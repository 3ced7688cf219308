//! Serves the style sheet, the script and the icon.

use axum::{body::Body, response::Response};
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};

use crate::{
    domain::{Error, Result},
    http::pages::context::PageContext,
};

pub(crate) fn show(context: &PageContext) -> Result<Response> {
    let asset = context
        .site
        .renderer
        .assets
        .find(context.path_param("file"))
        .ok_or_else(|| Error::not_found("There is no such file."))?;
    let mut response = Response::new(Body::from(asset.content.clone()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Ok(response)
}
