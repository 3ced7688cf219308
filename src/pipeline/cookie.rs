//! Reads a cookie of a request.

use http::{HeaderMap, header::COOKIE};

use crate::domain::cookie::find;

/// The value of a cookie, in any of the `Cookie` headers: HTTP/2 may split them.
pub fn find_in<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).find_map(|header| find(header, name))
}
