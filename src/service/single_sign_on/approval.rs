//! What an external identity does with the cookie of its approval.

use super::{SingleSignOn, claims::GrantClaims};
use crate::{
    domain::{
        Code, Error, Result, caller::GrantCaller, recorded_decision::Decision, secret::Secret, subject::Subject,
        user_code::UserCode,
    },
    ports::nonce_store::NonceKind,
    telemetry::audit::AuditEvent,
};

impl SingleSignOn {
    /// The holder of an approval cookie; `None` unless the cookie is valid.
    pub fn find_grant_caller(&self, cookie: &str) -> Option<GrantCaller> {
        let verified = self.values.verify::<GrantClaims>(cookie, self.dependencies.context.clock.now()).ok()?;
        let claims = verified.claims;
        if claims.iss != self.dependencies.settings.issuer {
            return None;
        }
        Some(GrantCaller {
            user_code: UserCode::parse(&claims.user_code).ok()?,
            email: claims.subject_email,
            issuer: claims.subject_issuer,
            nonce: claims.nonce,
            csrf_token: Secret::new(claims.csrf_token),
            expires_at: verified.expires_at,
        })
    }

    /// Lets the device of the cookie in. The cookie can be used once.
    pub async fn approve(&self, caller: &GrantCaller, user_code: &str) -> Result<Decision> {
        let flow = &self.dependencies.device_flow;
        let code = checked_code(caller, user_code)?;
        flow.require_bearers()?;
        flow.require_pending(code).await?;
        let subject = subject(caller);
        if self.dependencies.context.sql.has_active_account(&caller.email).await? {
            return Err(rejected(
                &subject,
                Error::new(Code::EmailBelongsToDifyAccount, "This email address belongs to an account of Dify.")
                    .with_hint("Sign in with that account instead."),
            ));
        }
        if !self.dependencies.nonces.consume(NonceKind::ApprovalGrant, &caller.nonce).await? {
            return Err(rejected(
                &subject,
                Error::new(Code::SessionAlreadyConsumed, "This sign-in has already been used.")
                    .with_hint("Start the sign-in again."),
            ));
        }
        flow.approve_external(subject, code).await
    }

    /// Turns the device of the cookie away.
    pub async fn deny(&self, caller: &GrantCaller, user_code: &str) -> Result<Decision> {
        let code = checked_code(caller, user_code)?;
        self.dependencies.device_flow.require_bearers()?;
        self.dependencies.device_flow.deny_external(&subject(caller), code).await
    }
}

fn subject(caller: &GrantCaller) -> Subject {
    Subject::ExternalSso { email: caller.email.clone(), issuer: caller.issuer.clone() }
}

/// The code of the cookie, which the request has to repeat.
fn checked_code<'a>(caller: &'a GrantCaller, user_code: &str) -> Result<&'a UserCode> {
    if UserCode::parse(user_code)? == caller.user_code {
        return Ok(&caller.user_code);
    }
    Err(rejected(
        &subject(caller),
        Error::new(Code::UserCodeMismatch, "This is not the code that you signed in for.")
            .with_hint("Start the sign-in again with this code."),
    ))
}

fn rejected(subject: &Subject, error: Error) -> Error {
    AuditEvent::DeviceFlowRejected { reason: error.code().as_str(), subject: Some(subject), request: None }.record();
    error
}
