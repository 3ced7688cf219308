//! A token cache that caches nothing, for a server without Redis.
//!
//! The operator's commands run in processes of their own, and what they revoke has to be in force at once.

use async_trait::async_trait;

use crate::{
    domain::{
        Result,
        id::{TokenId, WorkspaceId},
        limit::Charge,
        secret::TokenHash,
        session::TokenContext,
    },
    ports::token_cache::{CachedToken, TokenCache},
};

/// A cache that is always empty.
pub(crate) struct MemoryTokenCache;

#[async_trait]
impl TokenCache for MemoryTokenCache {
    async fn get_and_charge(&self, _: &TokenHash, _: &Charge) -> Result<CachedToken> {
        Ok(CachedToken::Unknown)
    }

    async fn put(&self, _: &TokenHash, _: &TokenContext) -> Result<()> {
        Ok(())
    }

    async fn put_unknown(&self, _: &TokenHash) -> Result<()> {
        Ok(())
    }

    async fn set_membership(&self, _: &TokenHash, _: TokenId, _: WorkspaceId, _: bool) -> Result<()> {
        Ok(())
    }

    async fn invalidate(&self, _: &TokenHash) -> Result<()> {
        Ok(())
    }
}
