//! Short-lived shared state: grants, limits, the token cache, login failures, leases, slots. Redis or in process.
//!
//! Every method is one atomic step at the store, decided by the store's clock. A failure is `service_unavailable`.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::domain::{
    Result,
    grant::{Approval, ClaimOutcome, DenyOutcome, GrantRequest, PendingGrant, PollOutcome},
    id::{ClaimId, TokenId, WorkspaceId},
    limit::{Charge, LimitDecision, Quota},
    secret::{DeviceCodeHash, TokenHash, UserCodeKey},
    session::TokenContext,
};

/// What the token cache knows of a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cached {
    /// Nothing; ask SQL.
    Unknown,
    /// Known to be dead.
    Invalid,
    /// Live when it was cached; the per-token limit has been charged in the same step.
    Live(TokenContext, LimitDecision),
}

/// How long a password attempt stays open at most when nobody tells what became of it.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(30);

/// What became of a password attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// The password was wrong, or there is no such account.
    Wrong,
    /// It was right.
    Right,
    /// Nobody could look at it.
    Not,
}

/// The state port.
#[async_trait]
pub trait State: Send + Sync + 'static {
    /// Stores a new grant under its user code's key, if no live grant has it: `false` when one does.
    async fn create_grant(
        &self,
        device_code: &DeviceCodeHash,
        user_code: &UserCodeKey,
        request: &GrantRequest,
    ) -> Result<bool>;
    /// Records a poll and says what it found.
    async fn poll_grant(&self, device_code: &DeviceCodeHash, client_id: &str) -> Result<PollOutcome>;
    /// The pending grant behind the first of `user_codes` that has one.
    async fn find_pending_grant(&self, user_codes: &[UserCodeKey]) -> Result<Option<PendingGrant>>;
    /// Claims the grant behind a user code for approval.
    async fn claim_grant(&self, user_codes: &[UserCodeKey], claim: ClaimId) -> Result<ClaimOutcome>;
    /// Ends an approval; `false` when the claim was lost.
    async fn finish_grant(&self, user_codes: &[UserCodeKey], claim: ClaimId, approval: &Approval) -> Result<bool>;
    /// Gives a claim back.
    async fn release_grant(&self, user_codes: &[UserCodeKey], claim: ClaimId) -> Result<()>;
    /// Turns the device behind a user code away.
    async fn deny_grant(&self, user_codes: &[UserCodeKey]) -> Result<DenyOutcome>;
    /// Takes the token: deletes the grant if it is approved with this session. `true` for exactly one caller.
    async fn redeem_grant(&self, device_code: &DeviceCodeHash, token_id: TokenId) -> Result<bool>;

    /// Charges the buckets in order and stops at the first that is full. Limits that are off cost nothing.
    async fn charge(&self, charges: &[Charge]) -> Result<LimitDecision>;
    /// Whether a bucket is full, without charging it.
    async fn peek(&self, charge: &Charge) -> Result<LimitDecision>;

    /// Takes charges back, one of each.
    async fn refund(&self, charges: &[Charge]) -> Result<()>;

    /// Whether positive token contexts are shared through this store. In process they are not kept at all.
    fn caches_tokens(&self) -> bool;
    /// Reads the token cache and, for a live entry, charges the per-token limit: one round trip.
    async fn cached_token(&self, hash: &TokenHash, limit: &Charge) -> Result<Cached>;
    /// Caches a context for 60 s unless the key holds anything already (so never over an invalidation).
    async fn cache_token(&self, hash: &TokenHash, context: &TokenContext) -> Result<()>;
    /// Notes in the cached context of this token whether its account is a member of a workspace. Nothing else about the
    /// entry changes, not even when it ends; without such an entry nothing happens.
    async fn note_membership(
        &self,
        hash: &TokenHash,
        token_id: TokenId,
        workspace: WorkspaceId,
        member: bool,
    ) -> Result<()>;
    /// Remembers for 10 s that a hash is unknown, unless the key holds anything already.
    async fn cache_unknown(&self, hash: &TokenHash) -> Result<()>;
    /// Marks a hash dead for 60 s, whatever was there.
    async fn invalidate_token(&self, hash: &TokenHash) -> Result<()>;

    /// Opens a password attempt at each key before the password is looked at; `Limited` (and nothing opened) when the wrong
    /// ones of any key, and those open, are as many as the quota. One that nobody ends is forgotten after [`ATTEMPT`]: also
    /// one that the store began although its answer was lost, so that an outage locks nobody out.
    async fn begin_login(&self, keys: &[String], attempt: Uuid, quota: Quota) -> Result<LimitDecision>;
    /// Closes an attempt. A wrong one counts, from the first for the quota's period, which begins anew with the one that
    /// fills the quota; a right one forgets the wrong ones of the first key (the account's).
    async fn end_login(&self, keys: &[String], attempt: Uuid, judged: Judged, quota: Quota) -> Result<()>;

    /// Takes the lease of a job for a while, so that one replica runs it; `false` when another holds it.
    async fn take_lease(&self, job: &str, lasting: Duration) -> Result<bool>;
    /// Gives a job's lease back before its time: the job was not done.
    async fn return_lease(&self, job: &str) -> Result<()>;
    /// Takes one of `most` slots of a key for a holder, until it is released or the time is over; `false` when all are
    /// taken. A holder that has one keeps it for that long from now.
    async fn take_slot(&self, key: &str, holder: Uuid, most: u32, lasting: Duration) -> Result<bool>;
    /// Gives a slot back.
    async fn release_slot(&self, key: &str, holder: Uuid) -> Result<()>;
    /// Whether the store answers.
    async fn ping(&self) -> Result<()>;
}
