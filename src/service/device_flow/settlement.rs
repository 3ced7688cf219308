//! What follows the mint of an approval: the record of a success, the end of a token that no device will get, and the
//! settlement of an approval whose outcome the state store did not report.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::sleep;

use super::DeviceFlow;
use crate::{
    domain::{
        Result,
        grant::{Approval, GrantRequest},
        id::ClaimId,
        recorded_decision::{Decision, DecisionOutcome},
        secret::{TokenHash, UserCodeKey},
        subject::Subject,
    },
    telemetry::{
        audit::AuditEvent,
        carry::carry,
        metrics::{RevokeReason, sign_ins::SignInStep},
    },
};

/// Pause between two attempts to settle, and their number.
const PAUSE: Duration = Duration::from_secs(1);
const MAX_ATTEMPTS: u32 = 60;

/// A claimed grant with its new session.
pub(super) struct MintedGrant {
    pub subject: Subject,
    pub request: GrantRequest,
    pub keys: Vec<UserCodeKey>,
    pub claim: ClaimId,
    pub approval: Approval,
    pub hash: TokenHash,
    pub expires_at: DateTime<Utc>,
    /// Whether the session replaced the token of an existing one.
    pub rotated: bool,
}

impl MintedGrant {
    /// The decision, once the grant is finished.
    pub(super) fn decision(&self) -> Decision {
        Decision::about(&self.request, DecisionOutcome::Approved(self.approval.token_id))
    }
}

impl DeviceFlow {
    pub(super) async fn record_approval(&self, minted: &MintedGrant) {
        self.context.metrics.sign_ins.reached(SignInStep::Approved);
        self.context.metrics.minted(minted.subject.subject_type());
        self.context.metrics.revoked(RevokeReason::Rotated, u64::from(minted.rotated));
        AuditEvent::DeviceFlowApproved {
            subject: &minted.subject,
            request: &minted.request,
            rotated: minted.rotated,
            expires_at: minted.expires_at,
            token_id: minted.approval.token_id,
        }
        .record();
        if let Some(account) = minted.subject.account_id() {
            self.remember(&minted.keys, account, &minted.decision()).await;
        }
    }

    /// Revokes the session, unless a later sign-in of the device has replaced its token.
    pub(super) async fn withdraw(&self, minted: &MintedGrant) -> Result<()> {
        let now = self.context.clock.now();
        self.context.sql.revoke_if_hash(minted.approval.token_id, &minted.hash, now).await.map(|_| ())
    }

    /// Settles in the background. Revoking at once would end a token that the device may have received. When the store
    /// stays unavailable, the session stays, as after a crash of this process, and its token is lost.
    pub(super) fn settle_later(&self, minted: MintedGrant) {
        let flow = self.clone();
        tokio::spawn(carry(async move {
            for _ in 0..MAX_ATTEMPTS {
                sleep(PAUSE).await;
                if flow.settle(&minted).await.is_ok() {
                    return;
                }
            }
            tracing::warn!(token_id = %minted.approval.token_id, "an approval was not settled; its session stays");
        }));
    }

    /// Finishes the approval, if its claim still holds. Otherwise ends its session, unless the first attempt approved
    /// the grant, or the grant is gone, which it also is after its redemption.
    async fn settle(&self, minted: &MintedGrant) -> Result<()> {
        let MintedGrant { keys, claim, approval, .. } = minted;
        let is_finished = self.grants.finish(keys, *claim, approval).await?;
        if !is_finished && self.grants.has_other_outcome(keys, approval.token_id).await? {
            return self.withdraw(minted).await;
        }
        self.record_approval(minted).await;
        Ok(())
    }
}
