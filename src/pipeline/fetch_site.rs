//! The origin of a browser's request (W3C Fetch Metadata). Other clients do not send the header.

use http::HeaderMap;

/// Whether a page of another site caused the request. Pages cannot set this header.
pub(crate) fn is_cross_site(headers: &HeaderMap) -> bool {
    has_site(headers, b"cross-site")
}

/// Whether a page of this service caused the request.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    has_site(headers, b"same-origin")
}

/// Whether a page of another origin caused the request, also one of the same site.
pub(crate) fn is_other_origin(headers: &HeaderMap) -> bool {
    is_cross_site(headers) || has_site(headers, b"same-site")
}

/// Whether the browser reports the origin. Browsers do not to servers that are neither on https nor on loopback.
pub(crate) fn is_reported(headers: &HeaderMap) -> bool {
    headers.contains_key("sec-fetch-site")
}

fn has_site(headers: &HeaderMap, site: &[u8]) -> bool {
    headers.get("sec-fetch-site").is_some_and(|value| value.as_bytes() == site)
}
