//! Pending device requests (RFC 8628), from their creation to the redemption of their token.

use async_trait::async_trait;

use crate::domain::{
    Result,
    grant::{Approval, ClaimOutcome, DenyOutcome, GrantRequest, PendingGrant, PollOutcome},
    id::{AccountId, ClaimId, TokenId},
    recorded_decision::Decision,
    secret::{DeviceCodeHash, UserCodeKey},
};

/// Stores grants by device code and by user code.
///
/// Every method is one atomic step at the store, by the store's clock; it fails with `service_unavailable`. Methods
/// that take several user codes act on the grant of the first code that has one: a user code has one key per configured
/// `SECRET_KEY`.
#[async_trait]
pub trait GrantStore: Send + Sync + 'static {
    /// Stores a new grant. Returns `false`, and stores nothing, when a live grant has the same user code.
    async fn create(
        &self,
        device_code: &DeviceCodeHash,
        user_code: &UserCodeKey,
        request: &GrantRequest,
    ) -> Result<bool>;

    /// Records a poll of the device and returns the state of its grant.
    async fn poll(&self, device_code: &DeviceCodeHash, client_id: &str) -> Result<PollOutcome>;

    async fn find_pending(&self, user_codes: &[UserCodeKey]) -> Result<Option<PendingGrant>>;

    /// Claims a pending grant for one approval. The claim expires after `CLAIM_LIFETIME`.
    async fn claim(&self, user_codes: &[UserCodeKey], claim: ClaimId) -> Result<ClaimOutcome>;

    /// Approves a claimed grant. Returns `false` when the claim has expired or belongs to another approval.
    async fn finish(&self, user_codes: &[UserCodeKey], claim: ClaimId, approval: &Approval) -> Result<bool>;

    /// Whether there is a grant that is not approved with this session. `false` also when the grant is gone: it was
    /// redeemed, or has expired.
    async fn has_other_outcome(&self, user_codes: &[UserCodeKey], token_id: TokenId) -> Result<bool>;

    /// Ends a claim without a decision. Does nothing when the claim is not the current one.
    async fn release(&self, user_codes: &[UserCodeKey], claim: ClaimId) -> Result<()>;

    /// Denies a pending grant.
    async fn deny(&self, user_codes: &[UserCodeKey]) -> Result<DenyOutcome>;

    /// Deletes a grant that was approved with this session. Exactly one caller gets `true`, and with it the token.
    async fn redeem(&self, device_code: &DeviceCodeHash, token_id: TokenId) -> Result<bool>;

    /// Records what an account decided about a grant, for `recorded_decision::LIFETIME`.
    async fn record_decision(&self, user_code: &UserCodeKey, account: AccountId, decision: &Decision) -> Result<()>;

    /// What this account decided about a grant with this user code.
    async fn find_decision(&self, user_codes: &[UserCodeKey], account: AccountId) -> Result<Option<Decision>>;
}
