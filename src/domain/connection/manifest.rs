//! The description of a provider: the manifest that Dify's plugins ship, with the `oauth` block of this service
//! (contract K1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::field::{CredentialField, FieldKind, LocalizedText};
use crate::domain::oauth_client::ClientAuthentication;

/// Most fields of one schema.
const MAX_FIELDS: usize = 50;

/// Why a manifest cannot be used: one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ManifestError(pub String);

/// Proof key for code exchange (RFC 7636).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pkce {
    #[default]
    S256,
    #[serde(rename = "none")]
    None,
}

/// The form of requests to the token endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenRequestFormat {
    /// RFC 6749 section 4.1.3.
    #[default]
    Form,
    /// Notion's.
    Json,
}

/// How a provider without a plugin authorizes people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuthEndpoints {
    pub authorization_url: String,
    pub token_url: String,
    /// RFC 7009.
    #[serde(default)]
    pub revocation_url: Option<String>,
    /// Fields of credentials that the token response does not have are read from its answer.
    #[serde(default)]
    pub userinfo_url: Option<String>,
    /// The issuer that authorization responses must name (RFC 9207).
    #[serde(default)]
    pub issuer: Option<String>,
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Parameters of the authorization URL.
    #[serde(default)]
    pub extra_params: BTreeMap<String, String>,
    #[serde(default)]
    pub client_auth: ClientAuthentication,
    #[serde(default)]
    pub pkce: Pkce,
    #[serde(default)]
    pub token_request: TokenRequestFormat,
    /// Lifetime in seconds of a token whose response names none. Without both, a token does not expire.
    #[serde(default)]
    pub default_expires_in: Option<u32>,
    /// Fields of credentials by member of the token response. A member has the field of its own name otherwise.
    #[serde(default)]
    pub credentials: BTreeMap<String, String>,
}

/// Names that this service sets itself.
const RESERVED_PARAMETERS: [&str; 8] = [
    "response_type",
    "client_id",
    "client_secret",
    "redirect_uri",
    "state",
    "scope",
    "code_challenge",
    "code_challenge_method",
];

impl OAuthEndpoints {
    /// The field of credentials that holds a member of the token response.
    pub fn field_of<'a>(&'a self, member: &'a str) -> &'a str {
        self.credentials.get(member).map_or(member, String::as_str)
    }

    fn check(&self, allow_http: bool) -> Result<(), ManifestError> {
        check_endpoint("oauth.authorization_url", &self.authorization_url, allow_http)?;
        check_endpoint("oauth.token_url", &self.token_url, allow_http)?;
        for (name, url) in [("oauth.revocation_url", &self.revocation_url), ("oauth.userinfo_url", &self.userinfo_url)]
        {
            if let Some(url) = url {
                check_endpoint(name, url, allow_http)?;
            }
        }
        match RESERVED_PARAMETERS.iter().find(|name| self.extra_params.contains_key(**name)) {
            Some(name) => Err(ManifestError(format!("oauth.extra_params: `{name}` is set by this service"))),
            None => Ok(()),
        }
    }
}

/// Endpoints are https. `http:` is for development.
fn check_endpoint(name: &str, text: &str, allow_http: bool) -> Result<(), ManifestError> {
    let error = |reason: &str| ManifestError(format!("{name}: {reason}"));
    let url = Url::parse(text).map_err(|_| error("is not a URL"))?;
    match url.scheme() {
        "https" => {}
        "http" if allow_http => {}
        "http" => return Err(error("must be https; http is for development only")),
        _ => return Err(error("must be https")),
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(error("must have no user name, password or fragment"));
    }
    match url.host() {
        Some(Host::Domain("")) | None => Err(error("has no host")),
        Some(_) => Ok(()),
    }
}

/// A provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProviderManifest {
    pub label: LocalizedText,
    /// Fields of an API key; empty when the provider has none.
    #[serde(default)]
    pub api_key_fields: Vec<CredentialField>,
    /// Fields of the OAuth client; empty when the provider has no OAuth.
    #[serde(default)]
    pub client_fields: Vec<CredentialField>,
    /// Fields that the OAuth flow produces.
    #[serde(default)]
    pub oauth_fields: Vec<CredentialField>,
    /// Absent for a provider whose plugin implements the flow.
    #[serde(default)]
    pub oauth: Option<OAuthEndpoints>,
}

impl ProviderManifest {
    pub fn supports_oauth(&self) -> bool {
        !self.client_fields.is_empty()
    }

    pub fn supports_api_keys(&self) -> bool {
        !self.api_key_fields.is_empty()
    }

    /// Checks names and endpoints. `allow_http` accepts endpoints without TLS.
    pub fn check(&self, allow_http: bool) -> Result<(), ManifestError> {
        if !self.supports_oauth() && !self.supports_api_keys() {
            return Err(ManifestError(
                "the manifest has neither `oauth_schema.client_schema` nor `credentials_for_provider`".to_owned(),
            ));
        }
        for fields in [&self.api_key_fields, &self.client_fields, &self.oauth_fields] {
            check_fields(fields)?;
        }
        match &self.oauth {
            Some(_) if !self.supports_oauth() => {
                Err(ManifestError("`oauth` needs the fields of the client in `oauth_schema.client_schema`".to_owned()))
            }
            Some(oauth) => oauth.check(allow_http),
            None => Ok(()),
        }
    }
}

fn check_fields(fields: &[CredentialField]) -> Result<(), ManifestError> {
    if fields.len() > MAX_FIELDS {
        return Err(ManifestError(format!("a schema has at most {MAX_FIELDS} fields")));
    }
    for (index, field) in fields.iter().enumerate() {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if !(1..=64).contains(&field.name.len()) || !field.name.bytes().all(is_name) {
            return Err(ManifestError("the name of a field is 1 to 64 letters, digits, `_`, `-` and `.`".to_owned()));
        }
        if fields[..index].iter().any(|other| other.name == field.name) {
            return Err(ManifestError(format!("the field `{}` is there twice", field.name)));
        }
        if field.kind == FieldKind::Select && field.options.is_empty() {
            return Err(ManifestError(format!("the select `{}` has no options", field.name)));
        }
        if field.url.as_deref().is_some_and(|url| !url.starts_with("https://")) {
            return Err(ManifestError(format!("the url of `{}` must be https", field.name)));
        }
    }
    Ok(())
}
