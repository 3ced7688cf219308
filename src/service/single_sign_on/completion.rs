//! The callback of a sign-in: verifies what the provider returned through the browser, and decides what the person may
//! do next.

use super::{
    SignInBackend, SingleSignOn,
    claims::{ACCOUNT, AssertionClaims, DEVICE_FLOW, GrantClaims, StateClaims, is_issuer},
};
use crate::{
    domain::{
        Code, Error, Result, email::is_email, request_origin::RequestOrigin, secret::Secret,
        sign_in_hint::SIGN_IN_FOR_NEW_CODE, user_code::UserCode,
    },
    ports::{
        identity_provider::{AuthorizationResponse, IdentityError, IdentityProvider, VerifiedIdentity},
        nonce_store::NonceKind,
    },
    service::{browser_marks::BrowserMarks, console::Issued},
    telemetry::audit::AuditEvent,
};

/// What the browser brings back.
#[derive(Clone, Copy)]
pub enum Callback<'a> {
    /// An assertion of the enterprise service.
    Assertion(&'a str),
    /// The response of the built-in client's provider (RFC 6749 section 4.1.2).
    Authorization {
        state: &'a str,
        code: Option<&'a str>,
        /// The provider's error code.
        error: Option<&'a str>,
        /// The issuer (RFC 9207).
        issuer: Option<&'a str>,
    },
}

/// Why a person who signed in at the provider may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// An external identity cannot have the email address of an account.
    EmailBelongsToDifyAccount,
    EmailNotVerified,
    DomainNotAllowed,
    /// The person cancelled the sign-in, or the provider rejected it.
    AccessDenied,
    /// No active account has the email address.
    UnknownAccount,
}

impl Rejection {
    pub const ALL: [Self; 5] = [
        Self::EmailBelongsToDifyAccount,
        Self::EmailNotVerified,
        Self::DomainNotAllowed,
        Self::AccessDenied,
        Self::UnknownAccount,
    ];

    /// The value of `sso_error`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EmailBelongsToDifyAccount => "email_belongs_to_dify_account",
            Self::EmailNotVerified => "email_not_verified",
            Self::DomainNotAllowed => "email_domain_not_allowed",
            Self::AccessDenied => "access_denied",
            Self::UnknownAccount => "unknown_account",
        }
    }
}

/// The outcome of a sign-in.
pub enum Completed {
    /// The person may decide about the device. The value of the approval cookie.
    Grant(Secret),
    /// An account is signed in.
    Account { issued: Issued, return_to: String },
    /// The person may not go on. `return_to` is the page after an account's sign-in; `None` for a device.
    Rejected { rejection: Rejection, return_to: Option<String> },
}

/// The external identity of a sign-in for a device, after everything that differs between the backends.
struct DeviceSignIn {
    identity: VerifiedIdentity,
    user_code: String,
    nonce: String,
}

impl SingleSignOn {
    /// Completes a sign-in. `marks` is the cookie that binds sign-ins to the browser.
    ///
    /// Fails with `invalid_sso_assertion` for everything forged, replayed, expired or of another browser, and with
    /// `user_code_not_pending`.
    pub async fn complete(
        &self,
        callback: Callback<'_>,
        marks: Option<&str>,
        origin: RequestOrigin,
        known_browser: Option<&str>,
    ) -> Result<Completed> {
        let backend = self.dependencies.backend.as_ref();
        match (backend, callback) {
            (Some(SignInBackend::Remote(_)), Callback::Assertion(assertion)) => {
                self.complete_assertion(assertion, &BrowserMarks::parse(marks)).await
            }
            (Some(SignInBackend::BuiltIn(provider)), Callback::Authorization { state, code, error, issuer }) => {
                let state = self.consume_state(state, &BrowserMarks::parse(marks)).await?;
                let identity = match (code, error) {
                    (Some(code), None) => self.find_identity(&**provider, &state, code, issuer).await,
                    (_, Some(_)) => Err(Stop::Rejected(Rejection::AccessDenied)),
                    (None, None) => Err(Stop::Failed(invalid("no_code"))),
                };
                match identity {
                    Ok(identity) if state.intent == ACCOUNT => {
                        self.sign_in_account(&identity, state.return_to, origin, known_browser).await
                    }
                    Ok(identity) => {
                        let (user_code, nonce) = (state.user_code, state.nonce);
                        self.grant(DeviceSignIn { identity, user_code, nonce }).await
                    }
                    Err(Stop::Rejected(rejection)) => Ok(rejected(rejection, &state)),
                    Err(Stop::Failed(error)) => Err(error),
                }
            }
            (None, _) => Err(super::sso_not_configured()),
            _ => Err(invalid("other_backend")),
        }
    }

    async fn complete_assertion(&self, assertion: &str, marks: &BrowserMarks) -> Result<Completed> {
        let now = self.dependencies.context.clock.now();
        let verified = self.values.verify::<AssertionClaims>(assertion, now);
        let claims = verified.map_err(|error| invalid(error.as_str()))?.claims;
        let code = UserCode::parse(&claims.user_code).ok().filter(|_| claims.is_well_formed());
        let Some(code) = code else { return Err(invalid("malformed_claims")) };
        if !marks.contain(&code.expose(), &self.dependencies.keys) {
            return Err(invalid("other_browser"));
        }
        if !self.dependencies.nonces.consume(NonceKind::SsoAssertion, &claims.nonce).await? {
            return Err(invalid("replayed"));
        }
        let AssertionClaims { email, issuer, nonce, .. } = claims;
        let identity = VerifiedIdentity { email, issuer };
        self.grant(DeviceSignIn { identity, user_code: code.expose(), nonce }).await
    }

    /// Verifies the state of the built-in client and consumes its nonce, before any request to the provider.
    async fn consume_state(&self, sealed: &str, marks: &BrowserMarks) -> Result<StateClaims> {
        let now = self.dependencies.context.clock.now();
        let opened = self.dependencies.keys.open_sso_state(sealed).ok_or_else(|| invalid("state"))?;
        let verified = self.values.verify::<StateClaims>(opened.expose(), now);
        let state = verified.map_err(|error| invalid(error.as_str()))?.claims;
        if state.intent != DEVICE_FLOW && state.intent != ACCOUNT {
            return Err(invalid("malformed_claims"));
        }
        if !marks.contain(&state.nonce, &self.dependencies.keys) {
            return Err(invalid("other_browser"));
        }
        if !self.dependencies.nonces.consume(NonceKind::SsoState, &state.nonce).await? {
            return Err(invalid("replayed"));
        }
        Ok(state)
    }

    async fn find_identity(
        &self,
        provider: &dyn IdentityProvider,
        state: &StateClaims,
        code: &str,
        issuer: Option<&str>,
    ) -> Result<VerifiedIdentity, Stop> {
        let code_verifier = self.dependencies.keys.code_verifier(&state.nonce);
        let response = AuthorizationResponse { code, issuer, nonce: &state.nonce, code_verifier: &code_verifier };
        let identity = provider.find_identity(response).await.map_err(|error| match error {
            IdentityError::Invalid(reason) => Stop::Failed(invalid(reason)),
            IdentityError::EmailNotVerified => Stop::Rejected(Rejection::EmailNotVerified),
            IdentityError::DomainNotAllowed => Stop::Rejected(Rejection::DomainNotAllowed),
            IdentityError::Unavailable(error) => Stop::Failed(error),
        })?;
        if is_email(&identity.email) && is_issuer(&identity.issuer) {
            Ok(identity)
        } else {
            Err(Stop::Failed(invalid("malformed_claims")))
        }
    }

    /// The approval cookie of a verified external identity.
    async fn grant(&self, sign_in: DeviceSignIn) -> Result<Completed> {
        let DeviceSignIn { identity, user_code, nonce } = sign_in;
        let code = UserCode::parse(&user_code)?;
        if self.dependencies.device_flow.find_pending(&code).await?.is_none() {
            let error = Error::new(Code::UserCodeNotPending, "This code has already been decided or has expired.");
            return Err(error.with_hint(SIGN_IN_FOR_NEW_CODE));
        }
        if self.dependencies.context.sql.has_active_account(&identity.email).await? {
            let rejection = Rejection::EmailBelongsToDifyAccount;
            AuditEvent::SsoDenied { reason: rejection.as_str() }.record();
            return Ok(Completed::Rejected { rejection, return_to: None });
        }
        let claims = GrantClaims {
            iss: self.dependencies.settings.issuer.clone(),
            subject_email: identity.email,
            subject_issuer: identity.issuer,
            user_code: code.expose(),
            nonce,
            csrf_token: self.dependencies.context.entropy.base64url::<32>()?.expose().to_owned(),
        };
        self.values.sign(&claims, self.dependencies.context.clock.now()).map(Completed::Grant)
    }

    async fn sign_in_account(
        &self,
        identity: &VerifiedIdentity,
        return_to: String,
        origin: RequestOrigin,
        known_browser: Option<&str>,
    ) -> Result<Completed> {
        let console = &self.dependencies.console;
        if let Some(issued) = console.sign_in_verified(&identity.email, origin, known_browser).await? {
            return Ok(Completed::Account { issued, return_to });
        }
        let rejection = Rejection::UnknownAccount;
        AuditEvent::SsoDenied { reason: rejection.as_str() }.record();
        Ok(Completed::Rejected { rejection, return_to: Some(return_to) })
    }
}

/// The error for what is not valid. The reason is audited and not sent.
fn invalid(reason: &'static str) -> Error {
    AuditEvent::SsoDenied { reason }.record();
    Error::new(Code::InvalidSsoAssertion, "This sign-in is not valid, has expired, or was used before.")
        .with_hint("Start the sign-in again.")
}

/// Why there is no identity.
enum Stop {
    Rejected(Rejection),
    Failed(Error),
}

fn rejected(rejection: Rejection, state: &StateClaims) -> Completed {
    AuditEvent::SsoDenied { reason: rejection.as_str() }.record();
    let return_to = (state.intent == ACCOUNT).then(|| state.return_to.clone());
    Completed::Rejected { rejection, return_to }
}
