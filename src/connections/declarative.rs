//! The backend for manifests with an `oauth` block: OAuth 2.0 (RFC 6749) with PKCE (RFC 7636), `iss` (RFC 9207) and
//! revocation (RFC 7009), over the guarded outbound client.

mod token_answer;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT},
};
use serde_json::{Map, Value};
use tokio::time::timeout;
use url::Url;

use self::token_answer::{parse_token_answer, read_issued};
use super::answer_checks::GrantType;
use crate::{
    domain::{
        connection::{
            manifest::{OAuthEndpoints, Pkce, ProviderManifest, TokenRequestFormat},
            values::CredentialValues,
        },
        oauth_client::{ClientAuthentication, code_challenge, encode_credential},
        secret::Secret,
    },
    memory::Owner,
    ports::{
        clock::Clock,
        connection_backend::{AuthorizationCallback, BackendCall, BackendError, ConnectionBackend, IssuedCredentials},
    },
    runtime::outbound::{OutboundClient, OutboundError, OutboundRequest, OutboundResponse},
};

/// Longest answer of a provider in bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// Longest time of a request with its answer. The lease of a refresh lasts longer.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls providers as their manifests declare.
pub(crate) struct DeclarativeBackend {
    outbound: Arc<OutboundClient>,
    clock: Arc<dyn Clock>,
    /// Whether endpoints may be without TLS: in development only.
    allow_http: bool,
}

impl DeclarativeBackend {
    pub(crate) fn new(outbound: Arc<OutboundClient>, clock: Arc<dyn Clock>, allow_http: bool) -> Self {
        Self { outbound, clock, allow_http }
    }

    fn endpoint(&self, text: &str) -> Result<Url, BackendError> {
        let url =
            Url::parse(text).map_err(|_| BackendError::NotSupported("an endpoint of the provider is not a URL"))?;
        match url.scheme() {
            "https" => Ok(url),
            "http" if self.allow_http => Ok(url),
            _ => Err(BackendError::NotSupported("the endpoints of a provider must be https")),
        }
    }

    async fn send(
        &self,
        call: BackendCall<'_>,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<OutboundResponse, BackendError> {
        let request = OutboundRequest { method, url: self.endpoint(url)?, headers, body, read_timeout: TOTAL_TIMEOUT };
        let owners = [Owner::of(&call.workspace), Owner::of(call.provider)];
        let sending = self.outbound.send_without_redirects(owners, request, MAX_ANSWER);
        match timeout(TOTAL_TIMEOUT, sending).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(OutboundError::TooLarge { .. })) => Err(BackendError::InvalidAnswer("it is too long")),
            Ok(Err(error)) => Err(BackendError::unavailable_because("the request failed", error)),
            Err(_) => Err(BackendError::unavailable("no answer in time")),
        }
    }

    /// Sends a form to the token endpoint with the authentication of the client.
    async fn request_tokens(
        &self,
        call: BackendCall<'_>,
        oauth: &OAuthEndpoints,
        mut form: Vec<(&str, &str)>,
    ) -> Result<Map<String, Value>, BackendError> {
        let mut headers = client_headers(oauth, call.client, &mut form)?;
        let body = match oauth.token_request {
            TokenRequestFormat::Form => encode_form(&form, &mut headers),
            TokenRequestFormat::Json => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                let members: Map<_, _> =
                    form.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
                Value::Object(members).to_string().into()
            }
        };
        let response = self.send(call, Method::POST, &oauth.token_url, headers, Some(body)).await?;
        parse_token_answer(response.status, &response.body)
    }

    /// Completes credentials with the members of the user info endpoint's answer that the fields name.
    async fn add_user_info(
        &self,
        call: BackendCall<'_>,
        oauth: &OAuthEndpoints,
        issued: &mut IssuedCredentials,
    ) -> Result<(), BackendError> {
        let missing = |values: &CredentialValues| {
            let names = call.manifest.oauth_fields.iter().map(|field| field.name.clone());
            names.filter(|name| values.expose().get(name).is_none()).collect::<Vec<_>>()
        };
        let missing = missing(&issued.values);
        let token = issued.values.text(oauth.field_of("access_token")).map(str::to_owned);
        let (Some(url), Some(token), false) = (&oauth.userinfo_url, token, missing.is_empty()) else { return Ok(()) };
        let mut headers = plain_headers();
        headers.insert(AUTHORIZATION, secret_header(&format!("Bearer {token}"))?);
        let response = self.send(call, Method::GET, url, headers, None).await?;
        if !response.status.is_success() {
            return Err(BackendError::InvalidAnswer("the user info endpoint returned an error"));
        }
        let info: Map<String, Value> = serde_json::from_slice(&response.body)
            .map_err(|_| BackendError::InvalidAnswer("the user info is not a JSON object"))?;
        for name in missing {
            if let Some(value) = info.get(&name) {
                issued.values.set(&name, value.clone());
            }
        }
        Ok(())
    }
}

fn oauth_of(manifest: &ProviderManifest) -> Result<&OAuthEndpoints, BackendError> {
    manifest.oauth.as_ref().ok_or(BackendError::NotSupported("the provider needs its plugin"))
}

fn client_id(client: &CredentialValues) -> Result<&str, BackendError> {
    client.text("client_id").ok_or(BackendError::NotSupported("the OAuth client has no `client_id`"))
}

fn plain_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    // GitHub rejects requests without one.
    headers.insert(USER_AGENT, HeaderValue::from_static("dify-openapi"));
    headers
}

fn secret_header(text: &str) -> Result<HeaderValue, BackendError> {
    let mut value =
        HeaderValue::from_str(text).map_err(|_| BackendError::InvalidAnswer("a token is not plain text"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Authenticates the client in a header, or in the form (RFC 6749 section 2.3.1).
fn client_headers<'a>(
    oauth: &OAuthEndpoints,
    client: &'a CredentialValues,
    form: &mut Vec<(&'a str, &'a str)>,
) -> Result<HeaderMap, BackendError> {
    let (id, secret) = (client_id(client)?, client.text("client_secret"));
    let mut headers = plain_headers();
    match (oauth.client_auth, secret) {
        (ClientAuthentication::Basic, Some(secret)) => {
            let pair = STANDARD.encode(format!("{}:{}", encode_credential(id), encode_credential(secret)));
            headers.insert(AUTHORIZATION, secret_header(&format!("Basic {pair}"))?);
        }
        (_, secret) => {
            form.push(("client_id", id));
            form.extend(secret.map(|secret| ("client_secret", secret)));
        }
    }
    Ok(headers)
}

fn encode_form(form: &[(&str, &str)], headers: &mut HeaderMap) -> Bytes {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish().into()
}

/// Whether the response is of the provider (RFC 9207 section 2.4). Without a declared issuer, the named one must have
/// the origin of the authorization endpoint.
fn is_of_issuer(oauth: &OAuthEndpoints, named: Option<&str>) -> bool {
    let Some(named) = named else { return true };
    match &oauth.issuer {
        Some(issuer) => issuer == named,
        None => match (Url::parse(named), Url::parse(&oauth.authorization_url)) {
            (Ok(named), Ok(endpoint)) => named.origin() == endpoint.origin(),
            _ => false,
        },
    }
}

#[async_trait]
impl ConnectionBackend for DeclarativeBackend {
    async fn authorization_url(
        &self,
        call: BackendCall<'_>,
        state: &str,
        code_verifier: &Secret,
    ) -> Result<Url, BackendError> {
        let oauth = oauth_of(call.manifest)?;
        let mut url = self.endpoint(&oauth.authorization_url)?;
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", client_id(call.client)?)
                .append_pair("redirect_uri", call.redirect_uri)
                .append_pair("state", state);
            if !oauth.scopes.is_empty() {
                query.append_pair("scope", &oauth.scopes.join(" "));
            }
            if oauth.pkce == Pkce::S256 {
                query
                    .append_pair("code_challenge", &code_challenge(code_verifier))
                    .append_pair("code_challenge_method", "S256");
            }
            query.extend_pairs(&oauth.extra_params);
        }
        Ok(url)
    }

    async fn exchange(
        &self,
        call: BackendCall<'_>,
        callback: AuthorizationCallback<'_>,
    ) -> Result<IssuedCredentials, BackendError> {
        let oauth = oauth_of(call.manifest)?;
        if !is_of_issuer(oauth, callback.issuer) {
            return Err(BackendError::WrongIssuer);
        }
        let code = callback.code.expose();
        let mut form = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", call.redirect_uri)];
        if oauth.pkce == Pkce::S256 {
            form.push(("code_verifier", callback.code_verifier.expose()));
        }
        let answer = self.request_tokens(call, oauth, form).await?;
        let mut issued =
            read_issued(GrantType::AuthorizationCode, oauth, &call.manifest.oauth_fields, &answer, self.clock.now())?;
        self.add_user_info(call, oauth, &mut issued).await?;
        Ok(issued)
    }

    async fn refresh(
        &self,
        call: BackendCall<'_>,
        values: &CredentialValues,
    ) -> Result<IssuedCredentials, BackendError> {
        let oauth = oauth_of(call.manifest)?;
        let token = values
            .text(oauth.field_of("refresh_token"))
            .ok_or(BackendError::NotSupported("the credentials have no refresh token"))?;
        let form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        let answer = self.request_tokens(call, oauth, form).await?;
        read_issued(GrantType::RefreshToken, oauth, &call.manifest.oauth_fields, &answer, self.clock.now())
    }

    fn can_refresh(&self, manifest: &ProviderManifest, values: &CredentialValues) -> bool {
        manifest.oauth.as_ref().is_some_and(|oauth| values.text(oauth.field_of("refresh_token")).is_some())
    }

    async fn revoke(&self, call: BackendCall<'_>, values: &CredentialValues) -> Result<(), BackendError> {
        let oauth = oauth_of(call.manifest)?;
        let Some(url) = &oauth.revocation_url else { return Ok(()) };
        // Revoking the refresh token also revokes what was issued for it (RFC 7009 section 2.1).
        let tokens = ["refresh_token", "access_token"].map(|kind| (kind, values.text(oauth.field_of(kind))));
        let Some((kind, token)) = tokens.into_iter().find_map(|(kind, token)| Some((kind, token?))) else {
            return Ok(());
        };
        let mut form = vec![("token", token), ("token_type_hint", kind)];
        let mut headers = client_headers(oauth, call.client, &mut form)?;
        let body = encode_form(&form, &mut headers);
        let response = self.send(call, Method::POST, url, headers, Some(body)).await?;
        if response.status.is_success() {
            Ok(())
        } else {
            Err(BackendError::InvalidAnswer("the revocation endpoint returned an error"))
        }
    }
}
