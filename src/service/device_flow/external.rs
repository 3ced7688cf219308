//! The decision of an external identity about a device. Its cookie names the code, so no attempt at a code is counted.

use super::{
    DeviceFlow,
    decision::{already_resolved, in_progress, unknown_user_code},
};
use crate::{
    domain::{
        Code, Error, Result,
        grant::ClaimOutcome,
        recorded_decision::Decision,
        scope,
        subject::{Subject, SubjectType},
        user_code::UserCode,
    },
    service::uncancelled::run_uncancelled,
};

impl DeviceFlow {
    /// Fails unless the grant of this code is pending: `not_found`, or `already_resolved`.
    pub(crate) async fn require_pending(&self, code: &UserCode) -> Result<()> {
        if self.find_pending(code).await?.is_some() {
            return Ok(());
        }
        // A grant that is not pending cannot be claimed, and the reason is the outcome.
        let (keys, claim) = (self.keys.user_code_keys(code), self.new_claim()?);
        match self.grants.claim(&keys, claim).await? {
            ClaimOutcome::Unknown => Err(unknown_user_code()),
            ClaimOutcome::Resolved => Err(already_resolved()),
            ClaimOutcome::InProgress => Err(in_progress()),
            ClaimOutcome::Claimed(_) => self.grants.release(&keys, claim).await,
        }
    }

    /// Approves the pending grant for an external identity. A lost claim is `already_resolved`.
    pub(crate) async fn approve_external(&self, subject: Subject, code: &UserCode) -> Result<Decision> {
        let subject_type = SubjectType::ExternalSso;
        scope::check_mint(subject_type, scope::scopes_of(subject_type), self.settings.enterprise)?;
        let (keys, claim) = (self.keys.user_code_keys(code), self.new_claim()?);
        let request = match self.grants.claim(&keys, claim).await? {
            ClaimOutcome::Claimed(request) => request,
            ClaimOutcome::Unknown => return Err(unknown_user_code()),
            ClaimOutcome::InProgress | ClaimOutcome::Resolved => return Err(already_resolved()),
        };
        let flow = self.clone();
        let lifetime = self.token_lifetimes.configured();
        let decide = async move { flow.decide(None, &subject, lifetime, &keys, claim, &request).await };
        let decided = run_uncancelled(decide).await;
        decided.map_err(|error: Error| match error.code() {
            Code::ApproveInProgress => already_resolved(),
            _ => error,
        })
    }

    /// Denies the pending grant for an external identity.
    pub(crate) async fn deny_external(&self, subject: &Subject, code: &UserCode) -> Result<Decision> {
        let outcome = self.grants.deny(&self.keys.user_code_keys(code)).await?;
        self.record_denial(outcome, subject.email(), None)
    }
}
