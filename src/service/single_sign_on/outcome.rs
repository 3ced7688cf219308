//! The outcome of an external identity's decision, in a cookie: the identity has no browser session with which the page
//! of the outcome could find it.

use super::{SingleSignOn, claims::OutcomeClaims};
use crate::domain::{
    Result,
    caller::GrantCaller,
    recorded_decision::{Decision, DecisionOutcome},
    secret::Secret,
    subject::Subject,
};

/// A decision of an external identity.
#[derive(Debug)]
pub(crate) struct ExternalOutcome {
    pub subject: Subject,
    pub decision: Decision,
    /// Repeated by the form that ends the session.
    pub csrf_token: Secret,
}

impl SingleSignOn {
    /// The value of the cookie. It is encrypted, because browsers store cookies in files.
    pub(crate) fn seal_outcome(&self, caller: &GrantCaller, decision: &Decision) -> Result<Secret> {
        let context = &self.dependencies.context;
        let claims = OutcomeClaims {
            iss: self.dependencies.settings.issuer.clone(),
            subject_email: caller.email.clone(),
            subject_issuer: caller.issuer.clone(),
            client_id: decision.client_id.clone(),
            device_label: decision.device_label.clone(),
            token_id: match decision.outcome {
                DecisionOutcome::Approved(id) => Some(id.to_string()),
                DecisionOutcome::Denied => None,
            },
            csrf_token: context.entropy.base64url::<32>()?.expose().to_owned(),
        };
        let signed = self.values.sign(&claims, context.clock.now())?;
        self.dependencies.keys.seal_sso_outcome(signed.expose()).map(Secret::new)
    }

    /// The outcome in a cookie; `None` unless the cookie is valid.
    pub(crate) fn find_outcome(&self, cookie: &str) -> Option<ExternalOutcome> {
        let opened = self.dependencies.keys.open_sso_outcome(cookie)?;
        let now = self.dependencies.context.clock.now();
        let claims = self.values.verify::<OutcomeClaims>(opened.expose(), now).ok()?.claims;
        if claims.iss != self.dependencies.settings.issuer {
            return None;
        }
        let outcome = match claims.token_id {
            Some(id) => DecisionOutcome::Approved(id.parse().ok()?),
            None => DecisionOutcome::Denied,
        };
        Some(ExternalOutcome {
            subject: Subject::ExternalSso { email: claims.subject_email, issuer: claims.subject_issuer },
            decision: Decision { client_id: claims.client_id, device_label: claims.device_label, outcome },
            csrf_token: Secret::new(claims.csrf_token),
        })
    }
}
