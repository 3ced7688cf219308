//! Reading of `Cookie` headers.

/// The value of a cookie in a `Cookie` header. Of several with one name the first counts: browsers send the most
/// specific one first.
pub(crate) fn find<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// The cookie with which an external identity decides about one device, under Dify's name.
pub(crate) const APPROVAL_GRANT: &str = "device_approval_grant";
/// The cookie with the outcome of that decision.
pub(crate) const DEVICE_OUTCOME: &str = "device_outcome";
