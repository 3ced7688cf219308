//! The approver's decision about a grant.
//!
//! An approval claims the grant, mints in one SQL transaction, and finishes only while the claim is held. The token is
//! sealed to the device code, so neither store holds a usable token.

use chrono::TimeDelta;

use super::{DeviceFlow, settlement::MintedGrant};
use crate::{
    domain::{
        Code, Error, Result,
        account::Account,
        caller::ClientAddress,
        grant::{Approval, ClaimOutcome, DenyOutcome, GrantRequest},
        id::{AccountId, ClaimId},
        key,
        recorded_decision::{Decision, DecisionOutcome},
        scope,
        secret::{BearerToken, UserCodeKey},
        session::NewSession,
        sign_in_hint::SIGN_IN_FOR_NEW_CODE,
        subject::{Subject, SubjectType},
    },
    service::{session_mint::mint_session, uncancelled::run_uncancelled, user_code_attempt::UserCodeAttempt},
    telemetry::{audit::AuditEvent, failure, metrics::sign_ins::SignInStep},
};

impl DeviceFlow {
    /// Approves the pending grant of a user code.
    pub async fn approve(&self, account: &Account, user_code: &str, address: ClientAddress) -> Result<()> {
        self.require_bearers()?;
        let attempt = UserCodeAttempt::begin(&self.rate_limiter, address, Some(account.id)).await?;
        let keys = self.index_keys(user_code).inspect_err(|_| attempt.reject())?;
        let scopes = scope::scopes_of(SubjectType::Account);
        scope::check_mint(SubjectType::Account, scopes, self.settings.enterprise)?;

        // Before the claim, which lasts 10 s: the enterprise service may take half of that.
        let lifetime = self.token_lifetimes.of_account(account.id).await?;

        let claim = self.new_claim()?;
        let request = match self.grants.claim(&keys, claim).await? {
            ClaimOutcome::Unknown => {
                attempt.reject();
                return Err(unknown_user_code());
            }
            ClaimOutcome::Claimed(request) => request,
            known @ (ClaimOutcome::InProgress | ClaimOutcome::Resolved) => {
                attempt.succeed().await?;
                return Err(if known == ClaimOutcome::InProgress { in_progress() } else { already_resolved() });
            }
        };
        let subject = Subject::Account { id: account.id, email: account.email.clone() };
        let flow = self.clone();
        run_uncancelled(async move { flow.decide(Some(attempt), &subject, lifetime, &keys, claim, &request).await })
            .await
            .map(drop)
    }

    /// Mints and finishes a claimed grant. Revokes the minted token if the claim was lost.
    pub(super) async fn decide(
        &self,
        attempt: Option<UserCodeAttempt>,
        subject: &Subject,
        lifetime: TimeDelta,
        keys: &[UserCodeKey],
        claim: ClaimId,
        request: &GrantRequest,
    ) -> Result<Decision> {
        let attempted = match attempt {
            Some(attempt) => attempt.succeed().await,
            None => Ok(()),
        };
        let outcome = match attempted {
            Ok(()) => self.mint_and_finish(subject, lifetime, keys, claim, request).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &outcome {
            let reason = error.code().as_str();
            AuditEvent::DeviceFlowRejected { reason, subject: Some(subject), request: Some(request) }.record();
            // Best effort: a claim that is not released expires.
            let _ = self.grants.release(keys, claim).await;
        }
        outcome
    }

    async fn mint_and_finish(
        &self,
        subject: &Subject,
        lifetime: TimeDelta,
        keys: &[UserCodeKey],
        claim: ClaimId,
        request: &GrantRequest,
    ) -> Result<Decision> {
        let token = BearerToken::mint(subject.subject_type(), &self.context.entropy.array()?);
        let sealed_token = key::seal(&token, &request.seal_key)?;
        let now = self.context.clock.now();
        let session = NewSession {
            subject: subject.clone(),
            client_id: request.client_id.clone(),
            device_label: request.device_label.clone(),
            hash: token.hash(),
            display_prefix: token.display_prefix().to_owned(),
            created_at: now,
            expires_at: now + lifetime,
            created_ip: request.created_ip.to_string(),
            user_agent: request.user_agent.clone(),
        };
        let minted = mint_session(&self.context, &self.invalidations, &session).await?;
        let approval = Approval { token_id: minted.token_id, sealed_token };
        let minted = MintedGrant {
            subject: subject.clone(),
            request: request.clone(),
            keys: keys.to_vec(),
            claim,
            approval,
            hash: session.hash,
            expires_at: session.expires_at,
            rotated: minted.rotated.is_some(),
        };
        let is_finished = match self.grants.finish(keys, claim, &minted.approval).await {
            Ok(is_finished) => is_finished,
            Err(error) => {
                // The store may have approved the grant, and the device may have its token.
                self.settle_later(minted);
                return Err(error);
            }
        };
        if !is_finished {
            self.withdraw(&minted).await?;
            return Err(in_progress());
        }
        self.record_approval(&minted).await;
        Ok(minted.decision())
    }

    /// Records a decision for the pages. A failure does not undo the decision: the pages then do not name the device.
    pub(super) async fn remember(&self, keys: &[UserCodeKey], account: AccountId, decision: &Decision) {
        let Some(key) = keys.first() else { return };
        if let Err(error) = self.grants.record_decision(key, account, decision).await {
            failure::log(&error);
        }
    }

    /// Denies the pending grant of a user code.
    pub async fn deny(&self, account: &Account, user_code: &str, address: ClientAddress) -> Result<()> {
        self.require_bearers()?;
        let attempt = UserCodeAttempt::begin(&self.rate_limiter, address, Some(account.id)).await?;
        let keys = self.index_keys(user_code).inspect_err(|_| attempt.reject())?;
        let outcome = self.grants.deny(&keys).await?;
        if outcome == DenyOutcome::Unknown {
            attempt.reject();
        } else {
            attempt.succeed().await?;
        }
        let decision = self.record_denial(outcome, &account.email, Some(account.id))?;
        self.remember(&keys, account.id, &decision).await;
        Ok(())
    }

    /// Records a denied grant. Any other outcome is the error of the request.
    pub(super) fn record_denial(
        &self,
        outcome: DenyOutcome,
        subject_email: &str,
        account_id: Option<AccountId>,
    ) -> Result<Decision> {
        match outcome {
            DenyOutcome::Denied(request) => {
                self.context.metrics.sign_ins.reached(SignInStep::Denied);
                AuditEvent::DeviceFlowDenied { subject_email, account_id, request: &request }.record();
                Ok(Decision::about(&request, DecisionOutcome::Denied))
            }
            DenyOutcome::InProgress => Err(in_progress()),
            DenyOutcome::Resolved => Err(already_resolved()),
            DenyOutcome::Unknown => Err(unknown_user_code()),
        }
    }

    pub(super) fn new_claim(&self) -> Result<ClaimId> {
        Ok(ClaimId(self.context.entropy.uuid_v4()?))
    }
}

pub(super) fn unknown_user_code() -> Error {
    Error::not_found("This code is no longer valid.").with_hint(SIGN_IN_FOR_NEW_CODE)
}

pub(super) fn already_resolved() -> Error {
    Error::new(Code::AlreadyResolved, "This code has already been approved or denied.")
}

pub(super) fn in_progress() -> Error {
    Error::new(Code::ApproveInProgress, "This code is being approved right now.")
        .with_hint("Wait a few seconds and try again.")
}
