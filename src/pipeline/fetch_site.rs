//! What a browser says of where a request comes from (Fetch Metadata). Other clients say nothing, and are not asked.

use http::HeaderMap;

/// Whether a page of another site had this sent.
pub fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site.as_bytes() == b"cross-site")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_another_site_is_one() {
        let said = |site: Option<&'static str>| {
            let header =
                site.map(|site| (http::HeaderName::from_static("sec-fetch-site"), HeaderValue::from_static(site)));
            is_cross_site(&header.into_iter().collect())
        };
        assert!(said(Some("cross-site")));
        for site in [None, Some("same-site"), Some("same-origin"), Some("none"), Some("")] {
            assert!(!said(site), "{site:?}");
        }
    }
}
