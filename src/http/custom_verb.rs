//! Custom verbs (`google.api.http`): the last segment of `/openapi/v1/apps/{id}:run` is a parameter and a verb.
//!
//! The router cannot divide a segment. So such a path is routed with the verb as a segment of its own,
//! `/apps/{id}/:run`: the routes are mounted like this, and the edge divides the path of each request like this. Every
//! `:` in the last segment counts; clients write one that belongs to a name as `%3A`.

use axum::extract::Request;
use http::{Uri, uri::PathAndQuery};

/// The paths that may have a verb.
const API: &str = "/openapi/v1/";

/// The path on which a template is mounted.
pub(crate) fn routed_path(template: &str) -> String {
    divided(template).unwrap_or_else(|| template.to_owned())
}

/// Divides the path of a request before it is routed.
pub(crate) fn divide_path(mut request: Request) -> Request {
    if let Some(uri) = divided_uri(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

fn divided_uri(uri: &Uri) -> Option<Uri> {
    let mut path = divided(uri.path())?;
    if let Some(query) = uri.query() {
        path.push('?');
        path.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

/// The path with a `/` before the last `:` of its last segment; `None` where it has none.
fn divided(path: &str) -> Option<String> {
    let last_segment = path.strip_prefix(API)?.rsplit('/').next()?;
    let verb = last_segment.rfind(':')? + path.len() - last_segment.len();
    Some(format!("{}/{}", &path[..verb], &path[verb..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_segment_is_divided_at_its_last_colon() {
        for (path, expected) in [
            ("/openapi/v1/apps/1:run", Some("/openapi/v1/apps/1/:run")),
            ("/openapi/v1/apps/1/chat:run?a=b:c", Some("/openapi/v1/apps/1/chat/:run?a=b:c")),
            ("/openapi/v1/apps/a:b:run", Some("/openapi/v1/apps/a:b/:run")),
            ("/openapi/v1/apps/:run", Some("/openapi/v1/apps//:run")),
            ("/openapi/v1/apps/a:b/describe", None),
            ("/openapi/v1/apps/a%3Ab?name=a:b", None),
            ("/device/a:b", None),
        ] {
            let found = divided_uri(&path.parse().unwrap());
            assert_eq!(found.map(|uri| uri.to_string()).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn absolute_uri_keeps_its_authority() {
        let uri = "http://localhost:5001/openapi/v1/apps/1:run".parse().unwrap();
        assert_eq!(divided_uri(&uri).unwrap().to_string(), "http://localhost:5001/openapi/v1/apps/1/:run");
    }
}
