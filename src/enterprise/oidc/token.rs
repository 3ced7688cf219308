//! The token endpoint (RFC 6749 section 4.1.3) and the user info endpoint (OpenID Connect Core section 5.3).

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::{
    discovery::ProviderMetadata,
    error::FetchError,
    fetch::{ProviderHttp, fetch_json},
};
use crate::{
    domain::{
        oauth_client::{ClientAuthentication, encode_credential},
        secret::Secret,
    },
    ports::identity_provider::AuthorizationResponse,
};

/// Longest answer of each endpoint in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// How this service is registered at the provider.
#[derive(Clone, Debug)]
pub(super) struct Registration {
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) redirect_uri: String,
}

/// What the token endpoint returned. Its tokens are secrets, so it has no `Debug`.
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    pub(super) id_token: String,
    pub(super) access_token: Option<String>,
}

/// Exchanges an authorization code.
pub(super) async fn exchange_code(
    http: &ProviderHttp,
    metadata: &ProviderMetadata,
    client: &Registration,
    response: AuthorizationResponse<'_>,
) -> Result<TokenAnswer, FetchError> {
    let request = http
        .request(Method::POST, metadata.token_endpoint.clone())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(token_form(metadata.client_authentication, client, response));
    let request = match metadata.client_authentication {
        ClientAuthentication::Basic => {
            let secret = encode_credential(client.secret.expose());
            request.basic_auth(encode_credential(&client.id), Some(secret))
        }
        ClientAuthentication::Post => request,
    };
    fetch_json(http, request, MAX_ANSWER).await
}

/// The form of the request (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
fn token_form(
    authentication: ClientAuthentication,
    client: &Registration,
    response: AuthorizationResponse<'_>,
) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", response.code)
        .append_pair("redirect_uri", &client.redirect_uri)
        .append_pair("code_verifier", response.code_verifier.expose());
    if authentication == ClientAuthentication::Post {
        form.append_pair("client_id", &client.id).append_pair("client_secret", client.secret.expose());
    }
    form.finish()
}

/// The claims of the user info endpoint about the owner of an access token.
pub(super) async fn fetch_user_info(
    http: &ProviderHttp,
    metadata: &ProviderMetadata,
    access_token: &str,
) -> Result<Option<Value>, FetchError> {
    let Some(url) = &metadata.userinfo_endpoint else { return Ok(None) };
    fetch_json(http, http.request(Method::GET, url.clone()).bearer_auth(access_token), MAX_ANSWER).await.map(Some)
}
