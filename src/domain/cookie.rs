//! Cookies as browsers send them.

/// A cookie's value in a `Cookie` header. Of several with one name the first counts, as browsers send the most specific first.
pub(crate) fn find<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}
