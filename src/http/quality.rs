//! Quality values of content negotiation (RFC 9110 section 12.4.2), as `Accept` and `Accept-Language` carry them.

use http::{HeaderMap, HeaderName};

/// The members of a list header in the order sent, with their weights: 1 without a `q` parameter, 0 when the parameter
/// is not a number. Other parameters are dropped.
pub(super) fn weighted_members<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = (&'a str, f32)> + use<'a> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|member| {
        let mut parts = member.split(';').map(str::trim);
        let value = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
        (value, weight)
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::ACCEPT};

    use super::*;

    #[test]
    fn members_of_repeated_headers_keep_their_order_and_weights() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, HeaderValue::from_static("a/b, c/d;q=0.5;v=1,e/f;v=1; q=0.25"));
        headers.append(ACCEPT, HeaderValue::from_static("g/h;q=x,;q="));
        let members: Vec<_> = weighted_members(&headers, &ACCEPT).collect();
        assert_eq!(members, [("a/b", 1.0), ("c/d", 0.5), ("e/f", 0.25), ("g/h", 0.0), ("", 0.0)]);
    }
}
