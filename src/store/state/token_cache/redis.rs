//! The token cache in Redis, which Dify reads and writes as well.

use std::sync::LazyLock;

use async_trait::async_trait;

use super::entry::{INVALID, read, write};
use crate::{
    domain::{
        Error, Result,
        id::{TokenId, WorkspaceId},
        limit::Charge,
        secret::TokenHash,
        session::TokenContext,
    },
    ports::token_cache::{CachedToken, TokenCache},
    store::state::redis::{
        RedisState,
        keys::Keys,
        script::{CLOCK, GCRA, Script},
        verdict,
    },
};

/// Lifetime of a live entry and of an invalidation, in seconds.
const LIFETIME: u32 = 60;
/// Lifetime of the entry of an unknown hash, in seconds.
const UNKNOWN_LIFETIME: u32 = 10;

static GET_AND_CHARGE: LazyLock<Script> =
    LazyLock::new(|| Script::new(&[CLOCK, GCRA, include_str!("get_and_charge.lua")]));
static SET_MEMBERSHIP: LazyLock<Script> = LazyLock::new(|| Script::new(&[include_str!("set_membership.lua")]));

impl RedisState {
    /// Sets an entry unless there is one.
    async fn fill_token_entry(&self, hash: &TokenHash, value: &str, lifetime: u32) -> Result<()> {
        let mut command = redis::cmd("SET");
        command.arg(self.keys().token(hash)).arg(value).arg("EX").arg(lifetime).arg("NX");
        self.run(&command).await
    }
}

#[async_trait]
impl TokenCache for RedisState {
    async fn get_and_charge(&self, hash: &TokenHash, limit: &Charge) -> Result<CachedToken> {
        let entry = self.keys().token(hash);
        let bucket = Keys::token_bucket(&entry);
        let reply: Option<(Vec<u8>, u64)> = self
            .eval(&GET_AND_CHARGE, &[entry, bucket], |command| {
                command.arg(limit.quota.emission_us()).arg(limit.quota.count);
            })
            .await?;
        let Some((value, wait_us)) = reply else { return Ok(CachedToken::Unknown) };
        // A value that cannot be read counts as absent: SQL decides.
        let Ok(value) = std::str::from_utf8(&value) else { return Ok(CachedToken::Unknown) };
        if value == INVALID {
            return Ok(CachedToken::Invalid);
        }
        Ok(read(value).map_or(CachedToken::Unknown, |context| CachedToken::Live(context, verdict(wait_us))))
    }

    async fn put(&self, hash: &TokenHash, context: &TokenContext) -> Result<()> {
        let value = write(context).map_err(Error::internal)?;
        self.fill_token_entry(hash, &value, LIFETIME).await
    }

    async fn put_unknown(&self, hash: &TokenHash) -> Result<()> {
        self.fill_token_entry(hash, INVALID, UNKNOWN_LIFETIME).await
    }

    async fn set_membership(
        &self,
        hash: &TokenHash,
        token_id: TokenId,
        workspace: WorkspaceId,
        is_member: bool,
    ) -> Result<()> {
        self.eval_without_clock::<()>(&SET_MEMBERSHIP, &[self.keys().token(hash)], |command| {
            command.arg(token_id.to_string()).arg(workspace.to_string()).arg(u8::from(is_member));
        })
        .await
    }

    async fn invalidate(&self, hash: &TokenHash) -> Result<()> {
        let key = self.keys().token(hash);
        let mut command = redis::cmd("SET");
        command.arg(&key).arg(INVALID).arg("EX").arg(LIFETIME);
        // Without the confirmation of replicas a failover may bring back the context of a revoked token.
        self.run_confirmed(&key, &command).await
    }
}
