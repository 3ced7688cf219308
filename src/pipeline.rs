//! Authenticates, authorizes and limits the requests of both doors and the pages, before their bodies are read. Only
//! the form of a page is read first, within a limit of its own, because it contains the CSRF token.
//!
//! `Pipeline::admit` has the order of contract section 4. The edition gate precedes it: a method that is absent in this
//! deployment is not mounted.

pub mod authenticate;
pub mod browser;
pub mod cookie;
pub(crate) mod fetch_site;
pub(crate) mod layer;
pub(crate) mod policy;

mod grant;
mod limit;
mod service_key;
mod settings;

use std::sync::Arc;

use http::{header::USER_AGENT, request::Parts};

pub use self::settings::PipelineSettings;
use self::{
    browser::BrowserGate,
    grant::GrantGate,
    limit::{LimitedParty, PolicyLimits},
    policy::{Credential, Policy},
    service_key::ServiceKeyGate,
};
use crate::{
    domain::{
        Code, Error, Result,
        caller::{Caller, ClientAddress, ConsoleCaller, GrantCaller},
        scope,
        subject::SubjectType,
    },
    service::{
        bearer::Bearers, console::Console, license::Licenses, rate_limiter::RateLimiter, single_sign_on::SingleSignOn,
    },
    telemetry::audit::AuditEvent,
};

/// Admits requests. Clones share everything: one is made for each request.
#[derive(Clone)]
pub struct Pipeline(Arc<Gates>);

/// The gates of the pipeline.
struct Gates {
    bearers: Bearers,
    browser: BrowserGate,
    grants: GrantGate,
    limits: PolicyLimits,
    licenses: Licenses,
    service_keys: ServiceKeyGate,
    settings: Arc<PipelineSettings>,
}

impl Pipeline {
    pub fn new(
        rate_limiter: RateLimiter,
        bearers: Bearers,
        console: Console,
        licenses: Licenses,
        single_sign_on: SingleSignOn,
        settings: PipelineSettings,
    ) -> Self {
        let settings = Arc::new(settings);
        let browser = BrowserGate::new(console, Arc::clone(&settings));
        let service_keys = ServiceKeyGate::new(rate_limiter.clone(), Arc::clone(&settings));
        let grants = GrantGate::new(single_sign_on);
        let limits = PolicyLimits::new(rate_limiter);
        Self(Arc::new(Gates { bearers, browser, grants, limits, licenses, service_keys, settings }))
    }

    /// Whether internal services have a credential.
    pub fn has_service_key(&self) -> bool {
        self.0.settings.service_key.is_some()
    }

    /// Whether a method is present in this deployment.
    pub fn has(&self, policy: &Policy) -> bool {
        let present = match policy.presence {
            policy::Presence::Everywhere => true,
            policy::Presence::Enterprise => self.0.settings.enterprise,
            policy::Presence::Standalone => self.0.settings.standalone,
            policy::Presence::Connections => self.0.settings.connections,
        };
        present && (policy.credential != Credential::Service || self.0.settings.service_key.is_some())
    }

    /// Admits a request and puts its caller into the extensions, or returns the reason for rejecting it.
    pub async fn admit(&self, policy: &'static Policy, parts: &mut Parts) -> Result<()> {
        let address = address(parts)?;
        match policy.credential {
            Credential::Public => self.admit_public(policy, parts).await?,
            Credential::Bearer => {
                let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
                let token = authenticate::bearer_token(&parts.headers)
                    .map_err(|error| self.0.bearers.with_sign_in_hint(error, user_agent))?;
                if !self.0.settings.bearers_enabled {
                    return Err(crate::service::device_flow::bearer_auth_disabled());
                }
                let caller = self.0.bearers.authenticate(&token, address, user_agent).await?;
                surface_gate(policy, &caller)?;
                if policy.external_license && caller.token.subject.subject_type() == SubjectType::ExternalSso {
                    self.0.licenses.require().await?;
                }
                self.license_gate(policy).await?;
                scope_gate(policy, &caller)?;
                self.0.limits.charge(policy, address, LimitedParty::Bearer(&caller)).await?;
                parts.extensions.insert(caller);
            }
            Credential::ConsoleSession => {
                if let Some(caller) = self.find_grant_caller(policy, parts)? {
                    self.0.limits.charge(policy, address, LimitedParty::ApprovalGrant(&caller)).await?;
                    parts.extensions.insert(caller);
                } else {
                    let caller = self.0.browser.authenticate(parts).await?;
                    self.0.limits.charge(policy, address, LimitedParty::ConsoleSession(&caller)).await?;
                    parts.extensions.insert(caller);
                }
            }
            Credential::Service => self.0.service_keys.authenticate(&parts.headers, address, policy.method).await?,
            Credential::ApprovalGrant => {
                let caller = self.0.grants.authenticate(parts)?;
                if !parts.method.is_safe() {
                    self.0.browser.check_origin(&parts.headers)?;
                }
                self.license_gate(policy).await?;
                self.0.limits.charge(policy, address, LimitedParty::ApprovalGrant(&caller)).await?;
                parts.extensions.insert(caller);
            }
        }
        Ok(())
    }

    /// Whether the method needs a license that this deployment does not have.
    async fn license_gate(&self, policy: &Policy) -> Result<()> {
        if policy.license { self.0.licenses.require().await } else { Ok(()) }
    }

    /// The external identity that calls a method which accepts it beside a console session.
    fn find_grant_caller(&self, policy: &Policy, parts: &Parts) -> Result<Option<GrantCaller>> {
        if !policy.approval_grant || !self.0.settings.enterprise {
            return Ok(None);
        }
        let caller = self.0.grants.find_confirmed_caller(parts);
        if caller.is_some() {
            self.0.browser.check_origin(&parts.headers)?;
        }
        Ok(caller)
    }

    async fn admit_public(&self, policy: &'static Policy, parts: &mut Parts) -> Result<()> {
        if policy.json_only && !parts.method.is_safe() {
            // Sign-in and refresh set cookies. Another site must not cause them.
            self.0.browser.check_origin(&parts.headers)?;
        }
        if !policy.is_page() && (!policy.limits.is_empty() || !parts.method.is_safe()) {
            // Another site must not use up the limits of its visitors' addresses. Other sites may link to pages, so the
            // pages check this themselves.
            self.0.browser.check_site(&parts.headers)?;
        }
        self.license_gate(policy).await?;
        self.0.limits.charge(policy, address(parts)?, LimitedParty::Address).await?;
        if policy.session
            && let Some(caller) = self.find_console_caller(&parts.headers).await?
        {
            parts.extensions.insert(caller);
        }
        Ok(())
    }

    /// The caller of the browser session, if there is a valid one.
    pub async fn find_console_caller(&self, headers: &http::HeaderMap) -> Result<Option<ConsoleCaller>> {
        self.0.browser.find_caller(headers).await
    }
}

/// The client address that the edge resolved.
fn address(parts: &Parts) -> Result<ClientAddress> {
    ClientAddress::required(parts.extensions.get())
}

/// The subject type must belong to the surface of the method. Scopes do not matter here, not even `full`.
fn surface_gate(policy: &'static Policy, caller: &Caller) -> Result<()> {
    let subject_type = caller.token.subject.subject_type();
    if policy.subjects.contains(&subject_type) {
        return Ok(());
    }
    AuditEvent::WrongSurfaceDenied {
        token_id: caller.token.token_id,
        subject_type,
        attempted_path: policy.http.map_or(policy.grpc_path, |route| route.path),
        client_id: &caller.token.client_id,
    }
    .record();
    let hint = match subject_type {
        SubjectType::Account => "Accounts use /openapi/v1/apps.",
        SubjectType::ExternalSso => "External identities use /openapi/v1/permitted-external-apps.",
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
