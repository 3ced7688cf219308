//! Reads the answers of token endpoints with distrust.

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Map, Value};

use crate::{
    connections::answer_checks::{GrantType, MAX_LIFETIME, check_available, check_length},
    domain::connection::{
        credential::{NEVER, ReauthorizationReason},
        field::CredentialField,
        manifest::OAuthEndpoints,
        values::CredentialValues,
    },
    ports::connection_backend::{BackendError, IssuedCredentials},
};

/// The members of a successful answer, or the error that the provider names.
pub(super) fn parse_token_answer(status: StatusCode, body: &[u8]) -> Result<Map<String, Value>, BackendError> {
    check_available(status)?;
    let answer: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| BackendError::InvalidAnswer("it is not a JSON object"))?;
    // GitHub and Slack report errors with status 200.
    if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
        return Err(match error.as_str().and_then(rejection) {
            Some(reason) => BackendError::Rejected(reason),
            None => BackendError::InvalidAnswer("the provider reports an error"),
        });
    }
    if !status.is_success() || answer.get("ok") == Some(&Value::Bool(false)) {
        return Err(BackendError::InvalidAnswer("the provider reports an error"));
    }
    Ok(answer)
}

/// The errors that asking again cannot resolve: RFC 6749 section 5.2, and the names that GitHub and Slack use instead.
fn rejection(error: &str) -> Option<ReauthorizationReason> {
    match error {
        "invalid_grant"
        | "bad_refresh_token"
        | "bad_verification_code"
        | "invalid_refresh_token"
        | "invalid_code"
        | "code_already_used"
        | "token_revoked"
        | "token_expired" => Some(ReauthorizationReason::InvalidGrant),
        "invalid_client"
        | "unauthorized_client"
        | "incorrect_client_credentials"
        | "invalid_client_id"
        | "bad_client_secret" => Some(ReauthorizationReason::InvalidClient),
        _ => None,
    }
}

/// The credentials of an answer: access and refresh token, and the members that fields name.
pub(super) fn read_issued(
    grant: GrantType,
    oauth: &OAuthEndpoints,
    fields: &[CredentialField],
    answer: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Result<IssuedCredentials, BackendError> {
    let mut values = CredentialValues::default();
    for member in ["access_token", "refresh_token"] {
        match answer.get(member) {
            Some(Value::String(token)) if !token.is_empty() => {
                values.set(oauth.field_of(member), Value::String(token.clone()));
            }
            None | Some(Value::Null) if member == "refresh_token" => {}
            _ => return Err(BackendError::InvalidAnswer("a token is missing or is not text")),
        }
    }
    for (member, value) in answer {
        let name = oauth.field_of(member);
        let is_field = fields.iter().any(|field| field.name == name);
        if is_field && values.expose().get(name).is_none() && !value.is_null() {
            values.set(name, value.clone());
        }
    }
    check_length(&values)?;
    Ok(IssuedCredentials { values, expires_at: expires_at(grant, oauth, answer, now)? })
}

fn expires_at(
    grant: GrantType,
    oauth: &OAuthEndpoints,
    answer: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Result<i64, BackendError> {
    let now = now.timestamp();
    let by_default = oauth.default_expires_in.map(|seconds| now + i64::from(seconds));
    match answer.get("expires_in") {
        None | Some(Value::Null) => Ok(by_default.unwrap_or(NEVER)),
        Some(value) => {
            let seconds = value.as_i64().filter(|seconds| (1..=MAX_LIFETIME).contains(seconds));
            let found = seconds.map(|seconds| now + seconds);
            let found = if grant == GrantType::RefreshToken { found.or(by_default) } else { found };
            grant.expiry(found, now, "`expires_in` is not a positive number of seconds")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::connection::{field::FieldKind, values::MAX_VALUES};

    fn oauth() -> OAuthEndpoints {
        serde_json::from_value(json!({
            "authorization_url": "https://a.example/auth", "token_url": "https://a.example/token",
            "credentials": {"access_token": "token"},
        }))
        .unwrap()
    }

    fn issued(answer: &Value) -> Result<IssuedCredentials, BackendError> {
        let fields = [CredentialField::new("team", FieldKind::Text)];
        read_issued(GrantType::AuthorizationCode, &oauth(), &fields, answer.as_object().unwrap(), DateTime::UNIX_EPOCH)
    }

    #[test]
    fn tokens_and_named_members_are_kept() {
        let read =
            issued(&json!({"access_token": "a", "refresh_token": "r", "expires_in": 60, "team": "t", "id_token": "x"}));
        let read = read.unwrap();
        assert_eq!(
            Value::Object(read.values.expose().clone()),
            json!({"token": "a", "refresh_token": "r", "team": "t"})
        );
        assert_eq!(read.expires_at, 60);
        assert_eq!(issued(&json!({"access_token": "a"})).unwrap().expires_at, NEVER);
    }

    #[test]
    fn refreshed_tokens_are_kept_although_their_lifetime_is_faulty() {
        let read = |oauth: &OAuthEndpoints, lifetime: Value| {
            let answer = json!({"access_token": "a", "refresh_token": "r", "expires_in": lifetime});
            read_issued(GrantType::RefreshToken, oauth, &[], answer.as_object().unwrap(), DateTime::UNIX_EPOCH).unwrap()
        };
        let with_default = OAuthEndpoints { default_expires_in: Some(900), ..oauth() };
        for faulty in [json!("3600"), json!(0), json!(-1), json!(1.5), json!({})] {
            let issued = read(&oauth(), faulty.clone());
            assert_eq!((issued.expires_at, issued.values.text("refresh_token")), (3_600, Some("r")), "{faulty}");
            assert_eq!(read(&with_default, faulty.clone()).expires_at, 900, "{faulty}");
        }
        assert_eq!(read(&with_default, json!(60)).expires_at, 60);
    }

    #[test]
    fn faulty_members_are_rejected() {
        for answer in [
            json!({}),
            json!({"access_token": ""}),
            json!({"access_token": 5}),
            json!({"access_token": "a", "refresh_token": 5}),
            json!({"access_token": "a", "expires_in": -1}),
            json!({"access_token": "a", "expires_in": 0}),
            json!({"access_token": "a", "expires_in": "3600"}),
            json!({"access_token": "a", "expires_in": 1.5}),
            json!({"access_token": "a", "expires_in": 1e300}),
            json!({"access_token": "a", "expires_in": u64::MAX}),
            json!({"access_token": "a".repeat(MAX_VALUES)}),
        ] {
            assert!(matches!(issued(&answer), Err(BackendError::InvalidAnswer(_))), "{answer}");
        }
    }

    #[test]
    fn errors_are_told_apart() {
        let parse =
            |status: u16, body: &str| parse_token_answer(StatusCode::from_u16(status).unwrap(), body.as_bytes());
        let rejected = |error| matches!(error, Err(BackendError::Rejected(_)));
        assert!(rejected(parse(400, r#"{"error": "invalid_grant"}"#)));
        assert!(rejected(parse(401, r#"{"error": "invalid_client"}"#)));
        assert!(rejected(parse(200, r#"{"error": "bad_refresh_token"}"#)));
        assert!(rejected(parse(200, r#"{"ok": false, "error": "invalid_refresh_token"}"#)));
        assert!(matches!(parse(503, "<html>"), Err(BackendError::Unavailable { .. })));
        for (status, body) in [(200, "<html>"), (200, "[]"), (400, "{}"), (302, "{}"), (200, r#"{"error": 5}"#)] {
            assert!(matches!(parse(status, body), Err(BackendError::InvalidAnswer(_))), "{status} {body}");
        }
    }
}
