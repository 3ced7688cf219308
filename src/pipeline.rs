//! Who may call what, how often: decided here, once, for both doors and the pages, before any body is decoded. Only the form
//! of a page is read first, within its own bounds: it carries the CSRF token.
//!
//! `Pipeline::admit` is the order of contract section 4, top to bottom. (The edition gate comes before it: a method that is
//! absent here is not mounted at all.)

pub mod authenticate;
pub mod browser;
pub mod cookie;
pub(crate) mod fetch_site;
pub(crate) mod layer;
pub(crate) mod policy;

mod limit;

use std::sync::Arc;

use http::request::Parts;

use self::policy::{Credential, Policy};
use crate::{
    domain::{
        Code, Error, Result,
        caller::{Caller, ClientAddress, ConsoleCaller},
        scope,
        secret::Secret,
    },
    service::{bearer::Bearers, console::Console, rate_limiter::RateLimiter},
    telemetry::audit::AuditEvent,
};

/// What the pipeline needs to know of the deployment.
#[derive(Clone, Debug)]
pub struct PipelineSettings {
    /// Whether bearers are accepted at all.
    pub bearers_enabled: bool,
    /// Enterprise edition.
    pub enterprise: bool,
    /// Whether this service has browser sessions of its own.
    pub standalone: bool,
    /// The key of internal services; without one their methods are absent.
    pub service_key: Option<Secret>,
    /// Origins of our own pages, as browsers write them.
    pub origins: Vec<String>,
    /// Origins of other sites that may call from a browser; `None` when every one may.
    pub cross_origins: Option<Vec<String>>,
    /// Full name of the access cookie.
    pub access_cookie: String,
    /// Full name of the CSRF cookie.
    pub csrf_cookie: String,
}

/// Admits requests. Clones share everything: one is made for each request.
#[derive(Clone)]
pub struct Pipeline(Arc<Inner>);

/// What a pipeline stands on.
pub struct Inner {
    rate_limiter: RateLimiter,
    bearers: Bearers,
    console: Console,
    settings: PipelineSettings,
}

impl std::ops::Deref for Pipeline {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Pipeline {
    /// Admits by these use cases.
    pub fn new(rate_limiter: RateLimiter, bearers: Bearers, console: Console, settings: PipelineSettings) -> Self {
        Self(Arc::new(Inner { rate_limiter, bearers, console, settings }))
    }

    /// Whether there is a credential for internal services.
    pub fn has_service_key(&self) -> bool {
        self.settings.service_key.is_some()
    }

    /// Whether a method exists in this deployment.
    pub fn has(&self, policy: &Policy) -> bool {
        let present = match policy.presence {
            policy::Presence::Everywhere => true,
            policy::Presence::Enterprise => self.settings.enterprise,
            policy::Presence::Standalone => self.settings.standalone,
        };
        present && (policy.credential != Credential::Service || self.settings.service_key.is_some())
    }

    /// Lets a request in, leaving its caller in the extensions, or says why not.
    pub async fn admit(&self, policy: &'static Policy, parts: &mut Parts) -> Result<()> {
        let address = address(parts)?;
        match policy.credential {
            Credential::Public => self.admit_anyone(policy, parts).await?,
            Credential::Bearer => {
                let token = authenticate::bearer_token(&parts.headers)?;
                if !self.settings.bearers_enabled {
                    return Err(crate::service::device_flow::bearer_auth_disabled());
                }
                let caller = self.bearers.authenticate(&token, address).await?;
                surface_gate(policy, &caller)?;
                if policy.license {
                    return Err(Error::new(Code::LicenseRequired, "A valid enterprise license is required."));
                }
                scope_gate(policy, &caller)?;
                self.charge(policy, address, Some(&caller), None).await?;
                parts.extensions.insert(caller);
            }
            Credential::ConsoleSession => {
                let caller = self.browser(parts).await?;
                self.charge(policy, address, None, Some(&caller)).await?;
                parts.extensions.insert(caller);
            }
            Credential::Service => authenticate::service_key(&parts.headers, self.settings.service_key.as_ref())?,
            // Issued by the single-sign-on branch only, which this edition does not have.
            Credential::ApprovalGrant => return Err(browser::no_session()),
        }
        Ok(())
    }

    async fn admit_anyone(&self, policy: &'static Policy, parts: &mut Parts) -> Result<()> {
        if policy.json_only && !parts.method.is_safe() {
            // Signing in and refreshing set cookies: another site must not be able to make a browser do it.
            self.check_origin(&parts.headers)?;
        }
        if !policy.is_page() && (!policy.limits.is_empty() || !parts.method.is_safe()) {
            // What counts by address must not be spent by whatever site its people happen to visit. Links to pages are followed
            // from anywhere, so the pages look at that themselves.
            self.check_site(&parts.headers)?;
        }
        self.charge(policy, address(parts)?, None, None).await?;
        if policy.session
            && let Some(caller) = self.find_console_caller(&parts.headers).await?
        {
            parts.extensions.insert(caller);
        }
        Ok(())
    }

    /// The person signed in at the browser, if there is one; a cookie that does not hold is nobody.
    pub async fn find_console_caller(&self, headers: &http::HeaderMap) -> Result<Option<ConsoleCaller>> {
        let Some(token) = cookie::find_in(headers, &self.settings.access_cookie) else { return Ok(None) };
        match self.console.authenticate(token).await {
            Ok(caller) => Ok(Some(caller)),
            Err(error) if error.code() == Code::InvalidSession => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The address that the edge resolved.
fn address(parts: &Parts) -> Result<ClientAddress> {
    ClientAddress::required(parts.extensions.get())
}

/// The subject must belong on this surface; `full` does not help here.
fn surface_gate(policy: &'static Policy, caller: &Caller) -> Result<()> {
    let subject_type = caller.token.subject.subject_type();
    if policy.subjects.contains(&subject_type) {
        return Ok(());
    }
    AuditEvent::WrongSurfaceDenied { token_id: caller.token.token_id, subject_type, route: policy.method }.record();
    let hint = match subject_type {
        crate::domain::subject::SubjectType::Account => "Accounts use /openapi/v1/apps.",
        crate::domain::subject::SubjectType::ExternalSso => {
            "External identities use /openapi/v1/permitted-external-apps."
        }
    };
    Err(Error::new(Code::WrongSurface, "This token is for another part of the API.").with_hint(hint))
}

fn scope_gate(policy: &Policy, caller: &Caller) -> Result<()> {
    match policy.scope {
        Some(required) if !scope::satisfies(caller.token.subject.subject_type(), required) => {
            Err(Error::new(Code::InsufficientScope, "This token does not have the required scope.")
                .with_required_scope(required.as_str()))
        }
        _ => Ok(()),
    }
}
