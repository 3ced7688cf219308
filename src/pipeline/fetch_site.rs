//! Where a browser says a request comes from (W3C Fetch Metadata). Clients that are no browsers do not say.

use http::HeaderMap;

/// Whether a page of another site made the browser send this. Pages cannot write this header themselves.
pub fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site.as_bytes() == b"cross-site")
}
