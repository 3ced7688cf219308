//! The JSON of the enterprise service's inner API (contract section E1).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Limit of characters that are kept of a word.
const MAX_WORD: usize = 64;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Info {
    #[serde(default, rename = "License")]
    license: Option<License>,
    #[serde(default, rename = "WebAppAuth")]
    web_app_auth: Option<WebAppAuth>,
    #[serde(default, rename = "SSOEnforcedForWebProtocol")]
    sso_protocol: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct License {
    #[serde(default)]
    status: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WebAppAuth {
    #[serde(default)]
    allow_sso: Option<bool>,
}

impl Info {
    /// The status of the license. Without one there is none.
    pub(super) fn license_status(&self) -> String {
        let status = self.license.as_ref().and_then(|license| license.status.as_deref()).unwrap_or_default();
        if status.is_empty() { "none".to_owned() } else { status.chars().take(MAX_WORD).collect() }
    }

    /// Whether visitors of web apps sign in through an identity provider.
    pub(super) fn offers_sign_in(&self) -> bool {
        let is_allowed = self.web_app_auth.as_ref().and_then(|auth| auth.allow_sso) == Some(true);
        is_allowed && self.sso_protocol.as_deref().is_some_and(|protocol| !protocol.is_empty())
    }
}

#[derive(Serialize)]
pub(super) struct SignInRequest<'a> {
    pub(super) signed_state: &'a str,
}

#[derive(Deserialize)]
pub(super) struct SignInAnswer {
    #[serde(default)]
    pub(super) url: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessModeAnswer {
    /// Missing means `private`.
    #[serde(default)]
    pub(super) access_mode: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AppIds {
    pub(super) app_ids: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessModesAnswer {
    pub(super) access_modes: HashMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PermissionAnswer {
    /// Missing means no.
    #[serde(default)]
    pub(super) result: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PermissionsRequest {
    pub(super) user_id: String,
    pub(super) app_ids: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PermissionsAnswer {
    pub(super) permissions: HashMap<String, bool>,
}

#[derive(Serialize)]
pub(super) struct ExternalAppsRequest {
    pub(super) page: u32,
    pub(super) limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExternalAppsAnswer {
    pub(super) data: Vec<ExternalAppRow>,
    pub(super) total: u64,
    pub(super) has_more: bool,
}

/// A row of the list. Its other members are read from the database.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExternalAppRow {
    pub(super) app_id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct TokenLifetimeAnswer {
    pub(super) ttl_days: u32,
}

/// The text of an error response.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorAnswer {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    detail: Option<String>,
}

impl ErrorAnswer {
    pub(super) fn text(self) -> Option<String> {
        self.message.or(self.error).or(self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(json: &str) -> Info {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn license_and_sign_in_need_explicit_values() {
        for (json, status, offers) in [
            ("{}", "none", false),
            (r#"{"License":null,"WebAppAuth":null,"SSOEnforcedForWebProtocol":null}"#, "none", false),
            (r#"{"License":{"status":""}}"#, "none", false),
            (r#"{"License":{"status":"active","workspaces":{"limit":3}},"other":[]}"#, "active", false),
            (r#"{"WebAppAuth":{"allowSso":true},"SSOEnforcedForWebProtocol":""}"#, "none", false),
            (r#"{"WebAppAuth":{"allowSso":false},"SSOEnforcedForWebProtocol":"oidc"}"#, "none", false),
            (r#"{"WebAppAuth":{"allowSso":true},"SSOEnforcedForWebProtocol":"saml"}"#, "none", true),
        ] {
            let info = info(json);
            assert_eq!((info.license_status().as_str(), info.offers_sign_in()), (status, offers), "{json}");
        }
        let long = format!(r#"{{"License":{{"status":"{}"}}}}"#, "x".repeat(10_000));
        assert_eq!(info(&long).license_status().len(), MAX_WORD);
    }

    #[test]
    fn text_of_an_error_is_its_first_member() {
        for (json, text) in [
            (r#"{"message":"m","error":"e","detail":"d"}"#, Some("m")),
            (r#"{"error":"e","detail":"d"}"#, Some("e")),
            (r#"{"detail":"d"}"#, Some("d")),
            ("{}", None),
        ] {
            assert_eq!(serde_json::from_str::<ErrorAnswer>(json).unwrap().text().as_deref(), text);
        }
    }
}
