//! Follows redirects.

use http::{
    HeaderMap, Method, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_TYPE, LOCATION, USER_AGENT},
};

use super::{error::OutboundError, message::OutboundRequest};

/// The request that a response redirects to; `None` when it does not redirect.
pub(super) fn redirected(
    request: &OutboundRequest,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Option<OutboundRequest>, OutboundError> {
    let redirects = matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let Some(location) = headers.get(LOCATION).filter(|_| redirects) else { return Ok(None) };
    let location =
        location.to_str().map_err(|_| OutboundError::Url("the response redirects to something that is not a url"))?;
    let url = request
        .url
        .join(location)
        .map_err(|_| OutboundError::Url("the response redirects to something that is not a url"))?;
    let mut next = OutboundRequest { url, ..request.clone() };
    let becomes_get = match status {
        StatusCode::MOVED_PERMANENTLY => request.method == Method::POST,
        StatusCode::FOUND | StatusCode::SEE_OTHER => request.method != Method::HEAD,
        _ => false,
    };
    if becomes_get {
        next.method = Method::GET;
        next.body = None;
        next.headers.remove(CONTENT_TYPE);
    }
    if next.url.origin() != request.url.origin() {
        next.headers = without_credentials(&next.headers);
    }
    Ok(Some(next))
}

/// Keeps the headers that cannot hold a key, for a request to another origin: any other header may hold one.
fn without_credentials(headers: &HeaderMap) -> HeaderMap {
    let kept = [ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_TYPE, USER_AGENT];
    kept.into_iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone()))).collect()
}
