//! The identity provider that people sign in at when there is no enterprise service (contract E1, *Built in*).

use async_trait::async_trait;
use url::Url;

use crate::domain::{Error, Result, secret::Secret};

/// A sign-in that begins. Its values come back in the callback or are derived again.
#[derive(Clone, Copy)]
pub struct AuthorizationRequest<'a> {
    /// Opaque to the provider, which returns it.
    pub state: &'a str,
    /// The provider repeats it in the ID token.
    pub nonce: &'a str,
    /// RFC 7636 section 4.1.
    pub code_verifier: &'a Secret,
}

/// What the provider returned through the browser for a sign-in that succeeded.
#[derive(Clone, Copy)]
pub struct AuthorizationResponse<'a> {
    /// The authorization code.
    pub code: &'a str,
    /// The issuer that the response names (RFC 9207).
    pub issuer: Option<&'a str>,
    /// The nonce of the request.
    pub nonce: &'a str,
    /// The verifier of the request.
    pub code_verifier: &'a Secret,
}

/// An identity that the provider has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedIdentity {
    pub email: String,
    pub issuer: String,
}

/// Why a sign-in at the provider did not give an identity.
#[derive(Debug)]
pub enum IdentityError {
    /// The provider's answer is not valid. The reason is for the audit trail and repeats nothing of the answer.
    Invalid(&'static str),
    /// The provider does not vouch for the email address.
    EmailNotVerified,
    /// The domain of the email address is not one that may sign in.
    DomainNotAllowed,
    /// The provider is unreachable, or its answer cannot be read.
    Unavailable(Error),
}

#[async_trait]
pub trait IdentityProvider: Send + Sync + 'static {
    /// The provider's name on the button, if one is configured.
    fn name(&self) -> Option<&str>;

    /// The provider's URL for a sign-in. Fails with `upstream_error` while the provider's metadata is unknown.
    async fn authorization_url(&self, request: AuthorizationRequest<'_>) -> Result<Url>;

    /// Exchanges the code for an ID token, verifies it, and returns the identity.
    async fn find_identity(&self, response: AuthorizationResponse<'_>) -> Result<VerifiedIdentity, IdentityError>;

    /// Reads the provider's metadata and keys again. Fails with `upstream_error`; what is known stays in use.
    async fn refresh(&self) -> Result<()>;
}
