//! The client: metadata and keys of one provider, and the two steps of a sign-in.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::decode_header;
use serde::Deserialize;
use tokio::sync::{Mutex, Semaphore};
use url::Url;

use super::{
    discovery::{ProviderMetadata, discover},
    error::FetchError,
    fetch::ProviderHttp,
    id_token::{self, ALGORITHMS, Expected, IdentityClaims},
    keys::ProviderKeys,
    token::{Registration, TokenAnswer, exchange_code, fetch_user_info},
};
use crate::{
    domain::{Error, Result, oauth_client::code_challenge, secret::Secret},
    ports::{
        clock::Clock,
        identity_provider::{
            AuthorizationRequest, AuthorizationResponse, IdentityError, IdentityProvider, VerifiedIdentity,
        },
    },
};

/// Minimum time between two attempts to read metadata that is not known yet.
const MIN_DISCOVERY_INTERVAL: TimeDelta = TimeDelta::seconds(5);
/// Code exchanges at the same time in this process.
const MAX_EXCHANGES: usize = 32;
/// Longest code of a provider in bytes.
const MAX_CODE: usize = 4 * 1024;

/// How this service is registered at its identity provider.
#[derive(Clone, Debug)]
pub(crate) struct OidcSettings {
    /// The provider's issuer, exactly as its metadata has it.
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    /// Separated by spaces.
    pub(crate) scopes: String,
    /// The provider's name on the button.
    pub(crate) name: Option<String>,
    /// Domains of email addresses that may sign in, in lower case. Empty allows every domain.
    pub(crate) allowed_domains: Vec<String>,
    /// The callback, which is registered at the provider.
    pub(crate) redirect_uri: String,
}

#[derive(Default)]
struct Discovered {
    metadata: Option<Arc<ProviderMetadata>>,
    attempted_at: Option<DateTime<Utc>>,
}

/// The OpenID Connect client.
pub(crate) struct OidcClient {
    http: ProviderHttp,
    clock: Arc<dyn Clock>,
    settings: OidcSettings,
    registration: Registration,
    discovered: Mutex<Discovered>,
    keys: ProviderKeys,
    exchanges: Semaphore,
}

impl OidcClient {
    /// `http` must not follow redirects.
    pub(crate) fn new(http: ProviderHttp, clock: Arc<dyn Clock>, settings: OidcSettings) -> Self {
        let registration = Registration {
            id: settings.client_id.clone(),
            secret: settings.client_secret.clone(),
            redirect_uri: settings.redirect_uri.clone(),
        };
        let (discovered, exchanges) = (Mutex::default(), Semaphore::new(MAX_EXCHANGES));
        Self { http, clock, settings, registration, discovered, keys: ProviderKeys::default(), exchanges }
    }

    /// The known metadata; reads it when there is none, at most once in a while.
    async fn metadata(&self) -> Result<Arc<ProviderMetadata>, FetchError> {
        // Held while the metadata is read, so that concurrent sign-ins read it once.
        let mut discovered = self.discovered.lock().await;
        if let Some(known) = &discovered.metadata {
            return Ok(Arc::clone(known));
        }
        let now = self.clock.now();
        if discovered.attempted_at.is_some_and(|at| now < at + MIN_DISCOVERY_INTERVAL) {
            return Err(FetchError::NotDiscovered);
        }
        discovered.attempted_at = Some(now);
        let metadata = Arc::new(discover(&self.http, &self.settings.issuer).await?);
        discovered.metadata = Some(Arc::clone(&metadata));
        Ok(metadata)
    }

    /// Whether the response is of this provider and not of another one (RFC 9207 section 2.4).
    fn is_of_issuer(&self, metadata: &ProviderMetadata, named: Option<&str>) -> bool {
        named.map_or(!metadata.names_issuer, |issuer| issuer == self.settings.issuer)
    }

    /// The verified claims of the ID token, with the email address of the user info endpoint if the token has none.
    async fn find_claims(
        &self,
        metadata: &ProviderMetadata,
        answer: &TokenAnswer,
        nonce: &str,
    ) -> Result<IdentityClaims, IdentityError> {
        let header = decode_header(&answer.id_token).map_err(|_| IdentityError::Invalid("id_token_malformed"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(IdentityError::Invalid("id_token_algorithm"));
        }
        let now = self.clock.now();
        let key = self.keys.find(&self.http, &metadata.jwks_uri, header.kid.as_deref(), header.alg, now).await;
        let key = key.map_err(unavailable)?.ok_or(IdentityError::Invalid("id_token_key"))?;
        let expected = Expected { issuer: &self.settings.issuer, client_id: &self.settings.client_id, nonce, now };
        let claims = id_token::verify(&answer.id_token, &key, &expected)?;
        let Some(access_token) = answer.access_token.as_deref().filter(|_| claims.email.is_none()) else {
            return Ok(claims);
        };
        match fetch_user_info(&self.http, metadata, access_token).await.map_err(unavailable)? {
            None => Ok(claims),
            Some(info) => match IdentityClaims::deserialize(info) {
                // Section 5.3.2: the answer may be about another person.
                Ok(info) if info.sub == claims.sub => Ok(info),
                _ => Err(IdentityError::Invalid("user_info_subject")),
            },
        }
    }

    fn is_allowed(&self, email: &str) -> bool {
        let domain = email.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
        let allowed = &self.settings.allowed_domains;
        allowed.is_empty() || domain.is_some_and(|domain| allowed.contains(&domain))
    }
}

fn unavailable(error: FetchError) -> IdentityError {
    IdentityError::Unavailable(error.into())
}

#[async_trait]
impl IdentityProvider for OidcClient {
    fn name(&self) -> Option<&str> {
        self.settings.name.as_deref()
    }

    async fn authorization_url(&self, request: AuthorizationRequest<'_>) -> Result<Url> {
        let mut url = self.metadata().await?.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.settings.redirect_uri)
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", request.state)
            .append_pair("nonce", request.nonce)
            .append_pair("code_challenge", &code_challenge(request.code_verifier))
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    async fn find_identity(&self, response: AuthorizationResponse<'_>) -> Result<VerifiedIdentity, IdentityError> {
        let metadata = self.metadata().await.map_err(unavailable)?;
        if !self.is_of_issuer(&metadata, response.issuer) {
            return Err(IdentityError::Invalid("response_issuer"));
        }
        if response.code.is_empty() || response.code.len() > MAX_CODE {
            return Err(IdentityError::Invalid("response_code"));
        }
        let too_many = || IdentityError::Unavailable(Error::unavailable("too many sign-ins at the same time"));
        let _permit = self.exchanges.try_acquire().map_err(|_| too_many())?;
        let answer = match exchange_code(&self.http, &metadata, &self.registration, response).await {
            // The provider has rejected the code (RFC 6749 section 5.2).
            Err(FetchError::Status(400)) => return Err(IdentityError::Invalid("code_rejected")),
            answer => answer.map_err(unavailable)?,
        };
        let claims = self.find_claims(&metadata, &answer, response.nonce).await?;
        let is_verified = claims.is_email_verified();
        let Some(email) = claims.email.filter(|_| is_verified) else {
            return Err(IdentityError::EmailNotVerified);
        };
        if !self.is_allowed(&email) {
            return Err(IdentityError::DomainNotAllowed);
        }
        Ok(VerifiedIdentity { email, issuer: self.settings.issuer.clone() })
    }

    async fn refresh(&self) -> Result<()> {
        let now = self.clock.now();
        // Not held while the metadata is read, so that sign-ins with the known one go on.
        let metadata = Arc::new(discover(&self.http, &self.settings.issuer).await?);
        self.discovered.lock().await.metadata = Some(Arc::clone(&metadata));
        Ok(self.keys.refresh(&self.http, &metadata.jwks_uri, now).await?)
    }
}
