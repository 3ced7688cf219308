//! What a provider's plugin implements: the steps of OAuth at a third-party service (contract K1).

use std::error::Error as StdError;

use async_trait::async_trait;
use url::Url;

use crate::domain::{
    connection::{
        credential::ReauthorizationReason, manifest::ProviderManifest, provider_key::ProviderKey,
        values::CredentialValues,
    },
    id::{AccountId, WorkspaceId},
    secret::Secret,
};

/// For whom and with which registration a provider is called.
#[derive(Clone, Copy, Debug)]
pub struct BackendCall<'a> {
    pub workspace: WorkspaceId,
    pub account: AccountId,
    pub provider: &'a ProviderKey,
    pub manifest: &'a ProviderManifest,
    /// The values of the OAuth client.
    pub client: &'a CredentialValues,
    pub redirect_uri: &'a str,
}

/// What the provider returned through the browser.
#[derive(Clone, Copy)]
pub struct AuthorizationCallback<'a> {
    pub code: &'a Secret,
    /// The issuer that the response names (RFC 9207).
    pub issuer: Option<&'a str>,
    /// The state of the request.
    pub state: &'a str,
    /// The verifier of the request.
    pub code_verifier: &'a Secret,
}

/// Credentials that a provider has issued.
#[derive(Debug)]
pub struct IssuedCredentials {
    pub values: CredentialValues,
    /// Seconds since the epoch; −1 for credentials that do not expire.
    pub expires_at: i64,
}

/// Why a provider has not issued credentials. No variant quotes the provider's answer.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The provider rejects the grant or the client: asking again cannot succeed.
    #[error("the provider rejects the credentials ({})", .0.as_str())]
    Rejected(ReauthorizationReason),
    /// The response is of another issuer (RFC 9207).
    #[error("the response names another issuer")]
    WrongIssuer,
    /// The provider's answer cannot be used.
    #[error("the answer of the provider cannot be used: {0}")]
    InvalidAnswer(&'static str),
    /// The provider cannot be reached, or has a failure.
    #[error("the provider cannot be reached: {message}")]
    Unavailable {
        message: String,
        #[source]
        cause: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// This deployment cannot call the provider.
    #[error("{0}")]
    NotSupported(&'static str),
}

impl BackendError {
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::Unavailable { message: message.into(), cause: None }
    }

    /// `cause` must not quote secrets: it is logged.
    pub fn unavailable_because(message: impl Into<String>, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable { message: message.into(), cause: Some(cause.into()) }
    }
}

/// The steps of OAuth at a provider.
#[async_trait]
pub trait ConnectionBackend: Send + Sync + 'static {
    /// The URL at which a person authorizes.
    async fn authorization_url(
        &self,
        call: BackendCall<'_>,
        state: &str,
        code_verifier: &Secret,
    ) -> Result<Url, BackendError>;

    /// Exchanges the code of a callback.
    async fn exchange(
        &self,
        call: BackendCall<'_>,
        callback: AuthorizationCallback<'_>,
    ) -> Result<IssuedCredentials, BackendError>;

    /// Refreshes credentials. The issued values replace those of the same names.
    async fn refresh(
        &self,
        call: BackendCall<'_>,
        values: &CredentialValues,
    ) -> Result<IssuedCredentials, BackendError>;

    /// Whether these values can be refreshed at all.
    fn can_refresh(&self, manifest: &ProviderManifest, values: &CredentialValues) -> bool;

    /// Revokes credentials at the provider where it can (RFC 7009). Best effort.
    async fn revoke(&self, call: BackendCall<'_>, values: &CredentialValues) -> Result<(), BackendError>;
}
