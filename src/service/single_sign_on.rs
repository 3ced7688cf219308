//! Single sign-on (contract E3): people sign in at an identity provider, to let a device in as an external identity or,
//! on the pages of this service, as an account.
//!
//! The provider is that of the enterprise service, which asserts the identity, or the built-in client. `approval` has
//! what an external identity does with its cookie, and `outcome` what it sees afterwards.

mod approval;
pub(crate) mod claims;
pub(crate) mod completion;
pub(crate) mod outcome;
pub(crate) mod signed_value;

use std::sync::Arc;

use url::Url;

use self::{
    claims::{ACCOUNT, DEVICE_FLOW, StateClaims},
    signed_value::SignedValues,
};
use super::{browser_marks::BrowserMarks, console::Console, context::ServiceContext, device_flow::DeviceFlow};
use crate::{
    domain::{
        Code, Error, Result, caller::ClientAddress, key::KeyRing, secret::Secret, sign_in_hint::SIGN_IN_FOR_NEW_CODE,
        user_code::UserCode,
    },
    ports::{
        identity_provider::{AuthorizationRequest, IdentityProvider},
        nonce_store::NonceStore,
        sign_in_service::SignInService,
    },
};

/// Where people sign in.
#[derive(Clone)]
pub enum SignInBackend {
    /// At the identity provider of the enterprise service.
    Remote(Arc<dyn SignInService>),
    /// At the provider of the built-in client.
    BuiltIn(Arc<dyn IdentityProvider>),
}

#[derive(Clone, Debug)]
pub struct SingleSignOnSettings {
    /// The URL that the provider returns people to.
    pub callback_url: String,
    /// The issuer of approval cookies.
    pub issuer: String,
    /// The URL of the pages, if they are on another host than the callback.
    pub pages_url: Option<String>,
    /// Whether accounts can sign in, too: this service has browser sessions, and the callback is on the host of its
    /// pages.
    pub accounts: bool,
}

/// What single sign-on works on.
pub struct SingleSignOnDependencies {
    pub context: ServiceContext,
    pub device_flow: DeviceFlow,
    pub console: Console,
    pub nonces: Arc<dyn NonceStore>,
    pub keys: Arc<KeyRing>,
    /// `None` when no provider is configured.
    pub backend: Option<SignInBackend>,
    pub settings: SingleSignOnSettings,
}

/// Signs people in at an identity provider. Clones share everything.
#[derive(Clone)]
pub struct SingleSignOn {
    dependencies: Arc<SingleSignOnDependencies>,
    values: SignedValues,
}

/// A sign-in that was started.
pub struct Started {
    /// Where the browser is redirected.
    pub url: Url,
    /// The new value of the cookie that binds sign-ins to the browser.
    pub marks: Secret,
}

impl SingleSignOn {
    pub fn new(dependencies: SingleSignOnDependencies) -> Self {
        let values = SignedValues::new(Arc::clone(&dependencies.keys));
        Self { dependencies: Arc::new(dependencies), values }
    }

    /// Whether devices can be let in by single sign-on. An enterprise service that does not answer offers none.
    pub async fn is_offered(&self) -> bool {
        match &self.dependencies.backend {
            Some(SignInBackend::Remote(service)) => service.offers_sign_in().await.unwrap_or(false),
            Some(SignInBackend::BuiltIn(_)) => true,
            None => false,
        }
    }

    /// Whether accounts can sign in by single sign-on.
    pub fn is_offered_to_accounts(&self) -> bool {
        self.dependencies.settings.accounts && matches!(self.dependencies.backend, Some(SignInBackend::BuiltIn(_)))
    }

    /// The provider's name for the button.
    pub fn provider_name(&self) -> Option<&str> {
        match &self.dependencies.backend {
            Some(SignInBackend::BuiltIn(provider)) => provider.name(),
            _ => None,
        }
    }

    /// The address of a page, for a redirect from the callback.
    pub fn page_url(&self, path: &str) -> String {
        format!("{}{path}", self.dependencies.settings.pages_url.as_deref().unwrap_or_default())
    }

    /// Starts the sign-in of a person who wants to let a device in. `marks` is the cookie that binds sign-ins to the
    /// browser.
    ///
    /// Fails with `invalid_user_code` unless a pending grant has the code, and with `sso_not_configured`.
    pub async fn start_for_device(
        &self,
        user_code: &str,
        marks: Option<&str>,
        address: ClientAddress,
    ) -> Result<Started> {
        let backend = self.backend()?;
        self.dependencies.device_flow.require_bearers()?;
        let found = self.dependencies.device_flow.lookup(user_code, address, None).await?;
        let (Some(_), code) = (found, UserCode::parse(user_code)?) else { return Err(unknown_user_code()) };
        let nonce = self.new_nonce()?;
        let state = self.state(DEVICE_FLOW, code.expose(), nonce.clone(), String::new());
        match backend {
            SignInBackend::Remote(service) => {
                if !service.offers_sign_in().await.map_err(unreachable_service)? {
                    return Err(sso_not_configured());
                }
                let signed = self.values.sign(&state, self.dependencies.context.clock.now())?;
                let url = service.start_sign_in(signed.expose()).await?;
                // The enterprise service returns no state, so the code is the mark.
                Ok(Started { url, marks: self.marked(marks, &code.expose()) })
            }
            SignInBackend::BuiltIn(provider) => self.start_at(&**provider, &state, marks).await,
        }
    }

    /// Starts the sign-in of an account. `return_to` is the path of the page to show afterwards.
    pub async fn start_for_account(&self, return_to: &str, marks: Option<&str>) -> Result<Started> {
        match self.backend()? {
            SignInBackend::BuiltIn(provider) if self.dependencies.settings.accounts => {
                let state = self.state(ACCOUNT, String::new(), self.new_nonce()?, return_to.to_owned());
                self.start_at(&**provider, &state, marks).await
            }
            _ => Err(sso_not_configured()),
        }
    }

    async fn start_at(
        &self,
        provider: &dyn IdentityProvider,
        state: &StateClaims,
        marks: Option<&str>,
    ) -> Result<Started> {
        let signed = self.values.sign(state, self.dependencies.context.clock.now())?;
        // Sealed, so that neither the provider nor the history of the browser has the user code.
        let sealed = self.dependencies.keys.seal_sso_state(signed.expose())?;
        let code_verifier = self.dependencies.keys.code_verifier(&state.nonce);
        let request = AuthorizationRequest { state: &sealed, nonce: &state.nonce, code_verifier: &code_verifier };
        let url = provider.authorization_url(request).await?;
        Ok(Started { url, marks: self.marked(marks, &state.nonce) })
    }

    fn backend(&self) -> Result<&SignInBackend> {
        self.dependencies.backend.as_ref().ok_or_else(sso_not_configured)
    }

    fn state(&self, intent: &str, user_code: String, nonce: String, return_to: String) -> StateClaims {
        StateClaims {
            redirect_url: String::new(),
            app_code: String::new(),
            intent: intent.to_owned(),
            user_code,
            nonce,
            return_to,
            idp_callback_url: self.dependencies.settings.callback_url.clone(),
        }
    }

    fn new_nonce(&self) -> Result<String> {
        Ok(self.dependencies.context.entropy.base64url::<16>()?.expose().to_owned())
    }

    fn marked(&self, marks: Option<&str>, mark: &str) -> Secret {
        BrowserMarks::parse(marks).with(mark, &self.dependencies.keys)
    }
}

fn unreachable_service(error: Error) -> Error {
    Error::new(Code::UpstreamError, "The enterprise service cannot be reached.")
        .with_hint("Try again in a few minutes.")
        .with_source(error)
}

fn sso_not_configured() -> Error {
    Error::new(Code::SsoNotConfigured, "Single sign-on is not set up on this server.")
}

fn unknown_user_code() -> Error {
    Error::new(Code::InvalidUserCode, "This code is no longer valid.").with_hint(SIGN_IN_FOR_NEW_CODE)
}
