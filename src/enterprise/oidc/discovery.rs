//! The provider's metadata (OpenID Connect Discovery 1.0).

use reqwest::Method;
use serde::Deserialize;
use url::Url;

use super::{
    error::FetchError,
    fetch::{ProviderHttp, fetch_json},
};
use crate::domain::oauth_client::ClientAuthentication;

/// Longest metadata in bytes.
const MAX_METADATA: usize = 128 * 1024;

/// The metadata that this client uses.
#[derive(Clone, Debug)]
pub(super) struct ProviderMetadata {
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    pub(super) userinfo_endpoint: Option<Url>,
    pub(super) jwks_uri: Url,
    pub(super) client_authentication: ClientAuthentication,
    /// Whether every authorization response names the issuer (RFC 9207 section 3).
    pub(super) names_issuer: bool,
}

#[derive(Deserialize)]
struct MetadataDocument {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    userinfo_endpoint: Option<Url>,
    jwks_uri: Url,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Reads the metadata of an issuer.
pub(super) async fn discover(http: &ProviderHttp, issuer: &str) -> Result<ProviderMetadata, FetchError> {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let url = Url::parse(&url).map_err(|error| FetchError::Metadata(error.to_string()))?;
    check(issuer, fetch_json(http, http.request(Method::GET, url), MAX_METADATA).await?)
}

/// Checks that the document is of this issuer (section 4.3) and that its endpoints can be used.
fn check(issuer: &str, document: MetadataDocument) -> Result<ProviderMetadata, FetchError> {
    if document.issuer != issuer {
        return Err(FetchError::Metadata(format!(
            "the metadata is of another issuer; SSO_OIDC_ISSUER has to be exactly {:?}",
            document.issuer
        )));
    }
    let endpoints = [&document.authorization_endpoint, &document.token_endpoint, &document.jwks_uri];
    for endpoint in endpoints.into_iter().chain(&document.userinfo_endpoint) {
        let is_usable = endpoint.scheme() == "https" || (endpoint.scheme() == "http" && issuer.starts_with("http://"));
        if !is_usable {
            return Err(FetchError::Metadata("an endpoint of the identity provider is not https".to_owned()));
        }
    }
    if document.code_challenge_methods_supported.is_some_and(|methods| !methods.iter().any(|name| name == "S256")) {
        return Err(FetchError::Metadata("the identity provider does not support PKCE with S256".to_owned()));
    }
    let client_authentication = match document.token_endpoint_auth_methods_supported {
        Some(methods) if !methods.iter().any(|name| name == "client_secret_basic") => ClientAuthentication::Post,
        _ => ClientAuthentication::Basic,
    };
    Ok(ProviderMetadata {
        authorization_endpoint: document.authorization_endpoint,
        token_endpoint: document.token_endpoint,
        userinfo_endpoint: document.userinfo_endpoint,
        jwks_uri: document.jwks_uri,
        client_authentication,
        names_issuer: document.authorization_response_iss_parameter_supported,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document() -> Value {
        json!({
            "issuer": "https://idp.example",
            "authorization_endpoint": "https://idp.example/auth",
            "token_endpoint": "https://idp.example/token",
            "jwks_uri": "https://idp.example/jwks",
        })
    }

    fn checked(change: impl FnOnce(&mut Value)) -> Result<ProviderMetadata, FetchError> {
        let mut document = document();
        change(&mut document);
        check("https://idp.example", serde_json::from_value(document).map_err(FetchError::Malformed)?)
    }

    #[test]
    fn metadata_is_read_with_the_defaults_of_the_specification() {
        let metadata = checked(|_| ()).unwrap();
        assert_eq!(metadata.client_authentication, ClientAuthentication::Basic);
        assert!(!metadata.names_issuer && metadata.userinfo_endpoint.is_none());
        let metadata = checked(|document| {
            document["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
            document["authorization_response_iss_parameter_supported"] = json!(true);
        })
        .unwrap();
        assert_eq!(metadata.client_authentication, ClientAuthentication::Post);
        assert!(metadata.names_issuer);
    }

    #[test]
    fn unusable_metadata_is_rejected() {
        let set = |member: &'static str, value: Value| move |document: &mut Value| document[member] = value;
        for (member, value) in [
            ("issuer", json!("https://other.example")),
            ("issuer", json!("https://idp.example/")),
            ("token_endpoint", json!("http://idp.example/token")),
            ("jwks_uri", json!("file:///etc/passwd")),
            ("authorization_endpoint", json!("javascript:alert(1)")),
            ("authorization_endpoint", json!("not a url")),
            ("token_endpoint", json!(7)),
            ("code_challenge_methods_supported", json!(["plain"])),
        ] {
            assert!(checked(set(member, value.clone())).is_err(), "{member} {value}");
        }
    }
}
