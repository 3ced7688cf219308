//! Where a browser says a request comes from (W3C Fetch Metadata). Clients that are no browsers do not say.

use http::HeaderMap;

/// Whether a page of another site made the browser send this. Pages cannot write this header themselves.
pub(crate) fn is_cross_site(headers: &HeaderMap) -> bool {
    says(headers, b"cross-site")
}

/// Whether one of our own pages did.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    says(headers, b"same-origin")
}

fn says(headers: &HeaderMap, site: &[u8]) -> bool {
    headers.get("sec-fetch-site").is_some_and(|said| said.as_bytes() == site)
}
