//! Reads what plugins answer to the calls of OAuth, with distrust.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use url::Url;

use super::{line_buffer::Line, plugin_error::PluginError};
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

/// The data of a line, if it has some, or the error that it reports.
pub(super) fn data_of(json: &[u8]) -> Result<Option<Map<String, Value>>, BackendError> {
    let line = Line::parse(json)
        .map_err(|_| BackendError::InvalidAnswer("a line of the plugin daemon is not as specified"))?;
    if line.code != 0 {
        return Err(error_of(&PluginError::of(&line)));
    }
    match line.data {
        Value::Object(data) => Ok(Some(data)),
        Value::Null => Ok(None),
        _ => Err(BackendError::InvalidAnswer("the data of the plugin daemon is not an object")),
    }
}

/// The error that a plugin reports. Its text may contain secrets and is not repeated.
pub(super) fn error_of(error: &PluginError) -> BackendError {
    if error.mentions("invalid_grant") {
        BackendError::Rejected(ReauthorizationReason::InvalidGrant)
    } else if error.mentions("invalid_client") || error.mentions("unauthorized_client") {
        BackendError::Rejected(ReauthorizationReason::InvalidClient)
    } else if error.mentions("NotImplementedError") {
        BackendError::Rejected(ReauthorizationReason::NoRefreshToken)
    } else if error.is_plugin_missing() {
        BackendError::NotSupported("the plugin of the provider is not installed")
    } else {
        BackendError::InvalidAnswer("the plugin reports an error")
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

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn data_of_a_line_is_read() {
        let read = |line: Value| data_of(line.to_string().as_bytes()).unwrap();
        assert_eq!(read(json!({"code": 0, "message": "", "data": null})), None);
        assert_eq!(read(json!({"code": 0})), None);
        let data = read(json!({"code": 0, "message": "success", "data": {"a": 1}}));
        assert_eq!(data, Some(object(&json!({"a": 1}))));
    }

    #[test]
    fn other_lines_are_rejected() {
        for line in [
            &b""[..],
            b"<html>",
            b"{\"data\": {}}",
            b"{\"code\": \"0\", \"data\": {}}",
            b"\xff",
            b"{\"code\": 0, \"data\": [1]}",
            b"{\"code\": 0, \"data\": \"text\"}",
        ] {
            assert!(matches!(data_of(line), Err(BackendError::InvalidAnswer(_))), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn errors_of_plugins_are_recognised_within_those_of_the_daemon() {
        let inner = json!({"error_type": "ToolProviderOAuthError", "message": "400: {\"error\": \"invalid_grant\"}"});
        let outer = json!({"error_type": "PluginInvokeError", "message": inner.to_string()});
        let missing = json!({"error_type": "PluginNotFoundError", "message": "plugin not found"}).to_string();
        let reason = |line_of: Value| match data_of(line_of.to_string().as_bytes()).unwrap_err() {
            BackendError::Rejected(reason) => reason.as_str(),
            BackendError::NotSupported(_) => "not supported",
            _ => "other",
        };
        assert_eq!(reason(json!({"code": -500, "message": outer.to_string(), "data": null})), "invalid_grant");
        assert_eq!(reason(json!({"code": -500, "message": "", "data": outer})), "invalid_grant");
        assert_eq!(reason(json!({"code": -1, "message": {"error_type": "NotImplementedError"}})), "no_refresh_token");
        assert_eq!(reason(json!({"code": -1, "message": "invalid_client"})), "invalid_client");
        assert_eq!(reason(json!({"code": -404, "message": "plugin not found"})), "not supported");
        assert_eq!(reason(json!({"code": -404, "message": missing, "data": null})), "not supported");
        assert_eq!(reason(json!({"code": -500, "message": "boom"})), "other");
        assert_eq!(reason(json!({"code": 1, "data": {"credentials": {}}})), "other", "only 0 is a success");
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
