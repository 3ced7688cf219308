//! The cache of token contexts, shared with Dify through Redis (contract section 3).

use async_trait::async_trait;

use crate::domain::{
    Result,
    id::{TokenId, WorkspaceId},
    limit::{Charge, LimitDecision},
    secret::TokenHash,
    session::TokenContext,
};

/// The cache entry of a token hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CachedToken {
    /// There is no entry: SQL decides.
    Unknown,
    /// The token is revoked, or no session has it.
    Invalid,
    /// The token was live when it was cached. The verdict is that of its per-token limit.
    Live(TokenContext, LimitDecision),
}

/// Caches token contexts by token hash. Every method is one atomic step and fails with `service_unavailable`.
#[async_trait]
pub trait TokenCache: Send + Sync + 'static {
    /// Reads an entry and, when it is live, charges the per-token limit in the same step.
    async fn get_and_charge(&self, hash: &TokenHash, limit: &Charge) -> Result<CachedToken>;

    /// Caches a context for 60 s. An entry that exists stays, so that a fill never replaces an invalidation.
    async fn put(&self, hash: &TokenHash, context: &TokenContext) -> Result<()>;

    /// Caches for 10 s that no session has this hash. An entry that exists stays.
    async fn put_unknown(&self, hash: &TokenHash) -> Result<()>;

    /// Records in the live entry of this token whether its account is a member of a workspace. The entry expires no
    /// later than before. Does nothing when there is no such entry.
    async fn set_membership(
        &self,
        hash: &TokenHash,
        token_id: TokenId,
        workspace: WorkspaceId,
        is_member: bool,
    ) -> Result<()>;

    /// Replaces any entry by an invalidation that lasts 60 s.
    async fn invalidate(&self, hash: &TokenHash) -> Result<()>;
}
