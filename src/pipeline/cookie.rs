//! Reading one cookie.

use http::{HeaderMap, header::COOKIE};

/// A cookie's value in a `Cookie` header. Of several with one name the first counts, as browsers send the most specific first.
pub fn find<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// The same over every `Cookie` header of a request: HTTP/2 may send several.
pub fn find_in<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).find_map(|header| find(header, name))
}
