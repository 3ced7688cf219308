//! Reading one cookie of a request.

use http::{HeaderMap, header::COOKIE};

use crate::domain::cookie::find;

/// A cookie's value, over every `Cookie` header of a request: HTTP/2 may send several.
pub fn find_in<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).find_map(|header| find(header, name))
}
