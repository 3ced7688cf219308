//! Serves the contents of files at signed addresses, as downloads that a browser neither shows nor runs.

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    response::Response,
    routing::get,
};
use http::{
    HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{error_body, memory_owner::memory_owner};
use crate::{
    domain::{Error, Result, file::uploaded::UploadedFile},
    memory::Owner,
    rpc::Rpc,
    service::file::PREVIEW_PATH,
};

/// `attr-char` of RFC 8187 section 3.2.1 is not encoded.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(crate) fn router(rpc: &Rpc) -> Router {
    Router::new().route(PREVIEW_PATH, get(preview)).with_state(rpc.clone())
}

async fn preview(State(rpc): State<Rpc>, Path(id): Path<String>, request: Request) -> Response {
    let (expires, signature) = signed_members(request.uri().query().unwrap_or_default());
    match open(&rpc, &id, expires, &signature, memory_owner(request.extensions())).await {
        Ok(response) => response,
        Err(error) => {
            crate::telemetry::failure::log(&error);
            error_body::respond(&error, None)
        }
    }
}

async fn open(rpc: &Rpc, id: &str, expires: i64, signature: &str, reader: Owner) -> Result<Response> {
    let found = rpc.files().open_preview(id, expires, signature, reader).await?;
    let mut response = Response::new(Body::from_stream(found.contents));
    let headers = response.headers_mut();
    let value = |text: String| HeaderValue::from_str(&text).map_err(Error::internal);
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_str(&found.file.media_type).unwrap_or(HeaderValue::from_static("application/octet-stream")),
    );
    headers.insert(CONTENT_LENGTH, found.file.size.into());
    headers.insert(CONTENT_DISPOSITION, value(disposition(&found.file))?);
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
}

/// The end of the address in Unix seconds, and its signature. Without them no address is valid.
fn signed_members(query: &str) -> (i64, String) {
    let (mut expires, mut signature) = (0, String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "expires" => expires = value.parse().unwrap_or_default(),
            "signature" => signature = value.into_owned(),
            _ => {}
        }
    }
    (expires, signature)
}

/// The name in ASCII for old clients, and in full (RFC 6266 section 4.3).
fn disposition(file: &UploadedFile) -> String {
    let is_plain = |symbol: char| symbol.is_ascii_alphanumeric() || " .-_".contains(symbol);
    let ascii: String = file.name.chars().map(|symbol| if is_plain(symbol) { symbol } else { '_' }).collect();
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{}", utf8_percent_encode(&file.name, ATTRIBUTE))
}
