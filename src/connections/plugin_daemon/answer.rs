//! Reads the answers of the plugin daemon with distrust: lines `data: {"code", "message", "data"}`, and the JSON of errors
//! that no plugin has caused.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    connections::answer_checks::{GrantType, MAX_LIFETIME, check_length},
    domain::connection::{
        credential::{NEVER, ReauthorizationReason},
        values::CredentialValues,
    },
    ports::connection_backend::{BackendError, IssuedCredentials},
};

/// Longest URL of a provider's page in bytes.
const MAX_URL: usize = 8 * 1024;
/// How deep errors of plugins are wrapped in errors of the daemon: two levels for each, a text and its object.
const MAX_DEPTH: usize = 8;

#[derive(Deserialize)]
struct Line {
    code: i64,
    #[serde(default)]
    message: Value,
    #[serde(default)]
    data: Value,
}

/// The data of the first line that has some, or the error that a line reports.
pub(super) fn parse(body: &[u8]) -> Result<Map<String, Value>, BackendError> {
    let text = std::str::from_utf8(body).map_err(|_| BackendError::InvalidAnswer("it is not text"))?;
    for line in text.lines() {
        let Some(json) = line.strip_prefix("data:") else { continue };
        let line: Line = serde_json::from_str(json.trim())
            .map_err(|_| BackendError::InvalidAnswer("a line of the plugin daemon is not as specified"))?;
        if line.code != 0 {
            return Err(error_of(&line.message, &line.data));
        }
        match line.data {
            Value::Object(data) => return Ok(data),
            Value::Null => {}
            _ => return Err(BackendError::InvalidAnswer("the data of the plugin daemon is not an object")),
        }
    }
    Err(BackendError::InvalidAnswer("it has no data"))
}

/// The error of a response whose status reports one.
pub(super) fn rejection(body: &[u8]) -> BackendError {
    match serde_json::from_slice::<Line>(body) {
        Ok(error) => error_of(&error.message, &error.data),
        Err(_) => BackendError::InvalidAnswer("the plugin daemon rejects the request"),
    }
}

/// The error of a plugin, which the daemon wraps in its own. Its text may contain secrets and is not repeated.
fn error_of(message: &Value, data: &Value) -> BackendError {
    let mut words = Vec::new();
    collect(message, 0, &mut words);
    collect(data, 0, &mut words);
    let has = |word: &str| words.iter().any(|text| text.contains(word));
    if has("invalid_grant") {
        BackendError::Rejected(ReauthorizationReason::InvalidGrant)
    } else if has("invalid_client") || has("unauthorized_client") {
        BackendError::Rejected(ReauthorizationReason::InvalidClient)
    } else if has("NotImplementedError") {
        BackendError::Rejected(ReauthorizationReason::NoRefreshToken)
    } else if has("PluginNotFound") || has("plugin not found") {
        BackendError::NotSupported("the plugin of the provider is not installed")
    } else {
        BackendError::InvalidAnswer("the plugin reports an error")
    }
}

/// The texts of `error_type` and `message`. A message may be JSON of the same form.
fn collect(value: &Value, depth: usize, words: &mut Vec<String>) {
    if depth == MAX_DEPTH {
        return;
    }
    match value {
        Value::String(text) => match serde_json::from_str::<Map<String, Value>>(text) {
            Ok(inner) => collect(&Value::Object(inner), depth + 1, words),
            Err(_) => words.push(text.clone()),
        },
        Value::Object(members) => {
            for name in ["error_type", "message"] {
                if let Some(member) = members.get(name) {
                    collect(member, depth + 1, words);
                }
            }
        }
        _ => {}
    }
}

/// The provider's page, with the state of this service in place of the plugin's.
pub(super) fn authorization_url(data: &Map<String, Value>, state: &str, allow_http: bool) -> Result<Url, BackendError> {
    let text = data.get("authorization_url").and_then(Value::as_str).filter(|text| text.len() <= MAX_URL);
    let mut url = text
        .and_then(|text| Url::parse(text).ok())
        .ok_or(BackendError::InvalidAnswer("`authorization_url` is not a URL"))?;
    let is_secure = url.scheme() == "https" || (allow_http && url.scheme() == "http");
    if !is_secure || !url.username().is_empty() || url.password().is_some() {
        return Err(BackendError::InvalidAnswer("`authorization_url` is not an https URL"));
    }
    let others: Vec<(String, String)> =
        url.query_pairs().filter(|(name, _)| name != "state").map(|(a, b)| (a.into_owned(), b.into_owned())).collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair("state", state);
    Ok(url)
}

/// The credentials of an answer.
pub(super) fn issued(
    grant: GrantType,
    data: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Result<IssuedCredentials, BackendError> {
    let values = match data.get("credentials") {
        Some(Value::Object(values)) if !values.is_empty() => CredentialValues::new(values.clone()),
        _ => return Err(BackendError::InvalidAnswer("`credentials` are missing or not an object")),
    };
    check_length(&values)?;
    let now = now.timestamp();
    let expires_at = match data.get("expires_at") {
        None | Some(Value::Null) => NEVER,
        Some(value) => {
            let is_usable = |at: &i64| *at == NEVER || (*at > now && *at <= now.saturating_add(MAX_LIFETIME));
            grant.expiry(value.as_i64().filter(is_usable), now, "`expires_at` is not a time to come")?
        }
    };
    Ok(IssuedCredentials { values, expires_at })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::connection::values::MAX_VALUES;

    fn line(value: &Value) -> Vec<u8> {
        format!("data: {value}\n\n").into_bytes()
    }

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn data_of_the_first_line_that_has_some_is_read() {
        let body = [b": ping\n\n".to_vec(), line(&json!({"code": 0, "message": "", "data": null}))].concat();
        let body = [body, line(&json!({"code": 0, "message": "success", "data": {"a": 1}}))].concat();
        assert_eq!(parse(&body).unwrap(), object(&json!({"a": 1})));
    }

    #[test]
    fn other_bodies_are_rejected() {
        for body in [
            b"".to_vec(),
            b"<html>data</html>".to_vec(),
            b"data: <html>\n".to_vec(),
            b"data: {\"data\": {}}\n".to_vec(),
            b"data: {\"code\": \"0\", \"data\": {}}\n".to_vec(),
            b"data: \xff\n".to_vec(),
            line(&json!({"code": 0, "data": [1]})),
            line(&json!({"code": 0, "data": "text"})),
            line(&json!({"code": 0})),
        ] {
            assert!(matches!(parse(&body), Err(BackendError::InvalidAnswer(_))), "{}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn errors_of_plugins_are_recognised_within_those_of_the_daemon() {
        let inner = json!({"error_type": "ToolProviderOAuthError", "message": "400: {\"error\": \"invalid_grant\"}"});
        let outer = json!({"error_type": "PluginInvokeError", "message": inner.to_string()});
        let reason = |line_of: Value| match parse(&line(&line_of)).unwrap_err() {
            BackendError::Rejected(reason) => reason.as_str(),
            BackendError::NotSupported(_) => "not supported",
            _ => "other",
        };
        assert_eq!(reason(json!({"code": -500, "message": outer.to_string(), "data": null})), "invalid_grant");
        assert_eq!(reason(json!({"code": -500, "message": "", "data": outer})), "invalid_grant");
        assert_eq!(reason(json!({"code": -1, "message": {"error_type": "NotImplementedError"}})), "no_refresh_token");
        assert_eq!(reason(json!({"code": -1, "message": "invalid_client"})), "invalid_client");
        assert_eq!(reason(json!({"code": -404, "message": "plugin not found"})), "not supported");
        assert_eq!(reason(json!({"code": -500, "message": "boom"})), "other");
        assert_eq!(reason(json!({"code": 1, "data": {"credentials": {}}})), "other", "only 0 is a success");
    }

    #[test]
    fn errors_of_the_daemon_itself_are_plain_json() {
        let error = json!({"error_type": "PluginNotFoundError", "message": "plugin not found"}).to_string();
        let body = json!({"code": -404, "message": error, "data": null}).to_string();
        assert!(matches!(rejection(body.as_bytes()), BackendError::NotSupported(_)));
        for body in ["", "404 page not found", "{}", "[]", "{\"code\": -500, \"message\": \"boom\"}"] {
            assert!(matches!(rejection(body.as_bytes()), BackendError::InvalidAnswer(_)), "{body}");
        }
    }

    #[test]
    fn state_of_the_plugin_is_replaced_and_the_url_is_checked() {
        let data = |url: &str| object(&json!({"authorization_url": url}));
        let url = authorization_url(&data("https://a.example/auth?client_id=c&state=theirs&x=%20"), "ours", false);
        assert_eq!(url.unwrap().as_str(), "https://a.example/auth?client_id=c&x=+&state=ours");
        for faulty in
            ["http://a.example/", "javascript:alert(1)", "https://u:p@a.example/", "x", &"https://a/".repeat(900)]
        {
            assert!(authorization_url(&data(faulty), "ours", false).is_err(), "{faulty}");
        }
        assert!(authorization_url(&data("http://a.example/"), "ours", true).is_ok());
        assert!(authorization_url(&object(&json!({"authorization_url": 5})), "ours", true).is_err());
    }

    #[test]
    fn credentials_of_wrong_types_are_rejected() {
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let read = |value: Value| issued(GrantType::AuthorizationCode, &object(&value), now);
        for faulty in [
            json!({}),
            json!({"credentials": null}),
            json!({"credentials": {}}),
            json!({"credentials": [1]}),
            json!({"credentials": "token"}),
            json!({"credentials": {"a": "b"}, "expires_at": "soon"}),
            json!({"credentials": {"a": "b"}, "expires_at": -2}),
            json!({"credentials": {"a": "b"}, "expires_at": 1_000}),
            json!({"credentials": {"a": "b"}, "expires_at": 1.5}),
            json!({"credentials": {"a": "b"}, "expires_at": i64::MAX}),
            json!({"credentials": {"a": "b".repeat(MAX_VALUES)}}),
        ] {
            assert!(read(faulty.clone()).is_err(), "{}", faulty.to_string().get(..80).unwrap_or_default());
        }
        let refreshed = |at: Value| {
            let data = object(&json!({"credentials": {"a": "b"}, "expires_at": at}));
            issued(GrantType::RefreshToken, &data, now).unwrap().expires_at
        };
        assert_eq!([json!("soon"), json!(1_000), json!(2_000)].map(refreshed), [4_600, 4_600, 2_000]);
        assert_eq!(read(json!({"credentials": {"a": "b"}})).unwrap().expires_at, NEVER);
        assert_eq!(read(json!({"credentials": {"a": "b"}, "expires_at": -1})).unwrap().expires_at, NEVER);
        assert_eq!(read(json!({"credentials": {"a": "b"}, "expires_at": 4_600})).unwrap().expires_at, 4_600);
    }
}
