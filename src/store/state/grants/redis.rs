//! Grants in Redis: a hash per device code, and an index by user code.
//!
//! A grant and its index entry are in different slots of a cluster, so each has commands of its own. An index entry
//! that outlives its grant is harmless: the grant's script decides.
//!
//! Replicas confirm what a reply promises: a new grant, its decision and its redemption. A claim needs no confirmation,
//! because an approval whose claim is lost changes nothing.

use std::{net::IpAddr, sync::LazyLock};

use async_trait::async_trait;
use redis::{FromRedisValue, Value};

use crate::{
    domain::{
        Error, Result,
        grant::{
            Approval, CLAIM_LIFETIME, ClaimOutcome, DECIDED_LIFETIME, DenyOutcome, GrantRequest, INTERVAL, LIFETIME,
            MAX_INTERVAL, POLL_TOLERANCE_MS, PendingGrant, PollOutcome, SLOW_DOWN_STEP,
        },
        id::{AccountId, ClaimId, TokenId},
        recorded_decision::{self, Decision},
        secret::{DeviceCodeHash, UserCodeKey},
    },
    ports::grant_store::GrantStore,
    store::state::{
        grants::decision_text,
        redis::{
            RedisState,
            script::{CLOCK, Script},
        },
    },
};

/// Put before the scripts that decide a grant. Needs [`CLOCK`].
const READ: &str = include_str!("read.lua");

static INDEX_PUT: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, include_str!("index_put.lua")]));
static INDEX_EXTEND: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, include_str!("index_extend.lua")]));
static CREATE: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, include_str!("create.lua")]));
static POLL: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, include_str!("poll.lua")]));
static PENDING: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, READ, include_str!("pending.lua")]));
static CLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, READ, include_str!("claim.lua")]));
static FINISH: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, READ, include_str!("finish.lua")]));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, READ, include_str!("release.lua")]));
static DENY: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, READ, include_str!("deny.lua")]));
static REDEEM: LazyLock<Script> = LazyLock::new(|| Script::new(&[CLOCK, include_str!("redeem.lua")]));

const fn millis(seconds: u32) -> u64 {
    seconds as u64 * 1_000
}

/// The index entry of a user code, and the grant it names.
struct IndexedGrant {
    entry_key: String,
    device_code_hash: String,
    grant_key: String,
}

impl RedisState {
    /// Reads the index entry of a user code. Whether its grant has expired is decided by the grant's own script.
    async fn find_indexed_grant(&self, user_code: &UserCodeKey) -> Result<Option<IndexedGrant>> {
        let entry_key = self.keys().user_code(user_code);
        let value: Option<String> = self.run(redis::cmd("GET").arg(&entry_key)).await?;
        Ok(value.as_deref().and_then(|value| value.split_once(':')).map(|(_, device_code_hash)| IndexedGrant {
            grant_key: self.keys().grant_of_hash(device_code_hash),
            device_code_hash: device_code_hash.to_owned(),
            entry_key,
        }))
    }

    /// Reads the reply to a decision: the grant's new lifetime, or 0 when that did not change, and then the request.
    async fn read_decision(&self, found: &IndexedGrant, mut reply: Vec<Value>) -> Result<GrantRequest> {
        let fields = reply.split_off(1.min(reply.len()));
        let (lifetime_ms,) = read::<(u64,)>(reply)?;
        self.extend_index(found, lifetime_ms).await;
        read_request(fields)
    }

    /// Extends the index entry to the grant's new lifetime. A failure does not undo the decision: the code is then
    /// merely found for a shorter time.
    async fn extend_index(&self, found: &IndexedGrant, lifetime_ms: u64) {
        if lifetime_ms == 0 {
            return;
        }
        let extended = self
            .eval::<()>(&INDEX_EXTEND, &[&found.entry_key], |command| {
                command.arg(&found.device_code_hash).arg(lifetime_ms);
            })
            .await;
        if let Err(error) = extended {
            tracing::warn!(error = &error as &dyn std::error::Error, "a user code's index was not extended");
        }
    }
}

#[async_trait]
impl GrantStore for RedisState {
    async fn create(
        &self,
        device_code: &DeviceCodeHash,
        user_code: &UserCodeKey,
        request: &GrantRequest,
    ) -> Result<bool> {
        let lifetime_ms = millis(LIFETIME);
        let is_free: bool = self
            .eval_confirmed(&INDEX_PUT, &self.keys().user_code(user_code), |command| {
                command.arg(device_code.expose()).arg(lifetime_ms);
            })
            .await?;
        if !is_free {
            return Ok(false);
        }
        self.eval_confirmed::<()>(&CREATE, &self.keys().grant(device_code), |command| {
            command.arg(lifetime_ms).arg(INTERVAL);
            command.arg("client_id").arg(&request.client_id).arg("device_label").arg(&request.device_label);
            command.arg("created_ip").arg(request.created_ip.to_string());
            command.arg("seal_key").arg(request.seal_key.as_slice());
            if let Some(user_agent) = &request.user_agent {
                command.arg("user_agent").arg(user_agent);
            }
        })
        .await?;
        Ok(true)
    }

    async fn poll(&self, device_code: &DeviceCodeHash, client_id: &str) -> Result<PollOutcome> {
        let reply: Vec<Value> = self
            .eval(&POLL, &[self.keys().grant(device_code)], |command| {
                command.arg(client_id).arg(POLL_TOLERANCE_MS).arg(INTERVAL).arg(SLOW_DOWN_STEP).arg(MAX_INTERVAL);
            })
            .await?;
        let (word, rest) = split_word(reply)?;
        Ok(match word.as_str() {
            "unknown" => PollOutcome::Unknown,
            "client_mismatch" => PollOutcome::ClientMismatch,
            "denied" => PollOutcome::Denied,
            "slow_down" => PollOutcome::SlowDown(read::<(u32,)>(rest)?.0),
            "pending" => PollOutcome::Pending { created_ip: read_address(&read::<(String,)>(rest)?.0)? },
            "approved" => {
                let (created_ip, token_id, sealed_token) = read::<(String, String, Vec<u8>)>(rest)?;
                let token_id = token_id.parse().map_err(Error::internal)?;
                PollOutcome::Approved {
                    created_ip: read_address(&created_ip)?,
                    approval: Approval { token_id, sealed_token },
                }
            }
            _ => return Err(unreadable_grant()),
        })
    }

    async fn find_pending(&self, user_codes: &[UserCodeKey]) -> Result<Option<PendingGrant>> {
        for user_code in user_codes {
            let Some(found) = self.find_indexed_grant(user_code).await? else { continue };
            let reply: Option<Vec<Value>> = self.eval(&PENDING, &[&found.grant_key], |_| {}).await?;
            if let Some(mut reply) = reply.filter(|reply| reply.len() > 2) {
                let request = read_request(reply.split_off(2))?;
                let (created_at_ms, expires_in) = read(reply)?;
                return Ok(Some(PendingGrant { request, created_at_ms, expires_in }));
            }
        }
        Ok(None)
    }

    async fn claim(&self, user_codes: &[UserCodeKey], claim: ClaimId) -> Result<ClaimOutcome> {
        for user_code in user_codes {
            let Some(found) = self.find_indexed_grant(user_code).await? else { continue };
            let reply: Vec<Value> = self
                .eval(&CLAIM, &[&found.grant_key], |command| {
                    command.arg(claim.to_string()).arg(millis(CLAIM_LIFETIME)).arg(millis(DECIDED_LIFETIME));
                })
                .await?;
            let (word, rest) = split_word(reply)?;
            match word.as_str() {
                "unknown" => {}
                "resolved" => return Ok(ClaimOutcome::Resolved),
                "in_progress" => return Ok(ClaimOutcome::InProgress),
                "taken" => return self.read_decision(&found, rest).await.map(ClaimOutcome::Claimed),
                _ => return Err(unreadable_grant()),
            }
        }
        Ok(ClaimOutcome::Unknown)
    }

    async fn finish(&self, user_codes: &[UserCodeKey], claim: ClaimId, approval: &Approval) -> Result<bool> {
        for user_code in user_codes {
            let Some(found) = self.find_indexed_grant(user_code).await? else { continue };
            let lifetime_ms: i64 = self
                .eval_confirmed(&FINISH, &found.grant_key, |command| {
                    command.arg(claim.to_string()).arg(approval.token_id.to_string());
                    command.arg(approval.sealed_token.as_slice()).arg(millis(DECIDED_LIFETIME));
                })
                .await?;
            if let Ok(lifetime_ms) = u64::try_from(lifetime_ms) {
                self.extend_index(&found, lifetime_ms).await;
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn has_other_outcome(&self, user_codes: &[UserCodeKey], token_id: TokenId) -> Result<bool> {
        for user_code in user_codes {
            let Some(found) = self.find_indexed_grant(user_code).await? else { continue };
            let mut read = redis::cmd("HMGET");
            read.arg(&found.grant_key).arg("state").arg("token_id");
            let (state, approved): (Option<String>, Option<String>) = self.run(&read).await?;
            if state.is_some() {
                return Ok(approved != Some(token_id.to_string()));
            }
        }
        Ok(false)
    }

    async fn release(&self, user_codes: &[UserCodeKey], claim: ClaimId) -> Result<()> {
        for user_code in user_codes {
            let Some(found) = self.find_indexed_grant(user_code).await? else { continue };
            self.eval::<()>(&RELEASE, &[&found.grant_key], |command| {
                command.arg(claim.to_string());
            })
            .await?;
        }
        Ok(())
    }

    async fn deny(&self, user_codes: &[UserCodeKey]) -> Result<DenyOutcome> {
        for user_code in user_codes {
            let Some(found) = self.find_indexed_grant(user_code).await? else { continue };
            let reply: Vec<Value> = self
                .eval_confirmed(&DENY, &found.grant_key, |command| {
                    command.arg(millis(DECIDED_LIFETIME));
                })
                .await?;
            let (word, rest) = split_word(reply)?;
            match word.as_str() {
                "unknown" => {}
                "resolved" => return Ok(DenyOutcome::Resolved),
                "in_progress" => return Ok(DenyOutcome::InProgress),
                "denied" => return self.read_decision(&found, rest).await.map(DenyOutcome::Denied),
                _ => return Err(unreadable_grant()),
            }
        }
        Ok(DenyOutcome::Unknown)
    }

    async fn redeem(&self, device_code: &DeviceCodeHash, token_id: TokenId) -> Result<bool> {
        self.eval_confirmed(&REDEEM, &self.keys().grant(device_code), |command| {
            command.arg(token_id.to_string());
        })
        .await
    }

    async fn record_decision(&self, user_code: &UserCodeKey, account: AccountId, decision: &Decision) -> Result<()> {
        let mut set = redis::cmd("SET");
        set.arg(self.keys().decision(user_code, account)).arg(decision_text::write(decision));
        self.run(set.arg("EX").arg(recorded_decision::LIFETIME)).await
    }

    async fn find_decision(&self, user_codes: &[UserCodeKey], account: AccountId) -> Result<Option<Decision>> {
        for user_code in user_codes {
            let value: Option<String> =
                self.run(redis::cmd("GET").arg(self.keys().decision(user_code, account))).await?;
            if let Some(value) = value {
                return decision_text::read(&value).map(Some).ok_or_else(unreadable_grant);
            }
        }
        Ok(None)
    }
}

/// Splits a reply into its first word and the rest.
fn split_word(mut reply: Vec<Value>) -> Result<(String, Vec<Value>)> {
    let rest = reply.split_off(1.min(reply.len()));
    let (word,) = read(reply)?;
    Ok((word, rest))
}

fn read<T: FromRedisValue>(values: Vec<Value>) -> Result<T> {
    T::from_redis_value(Value::Array(values)).map_err(|_| unreadable_grant())
}

fn read_request(fields: Vec<Value>) -> Result<GrantRequest> {
    let (client_id, device_label, created_ip, user_agent, seal_key): (_, _, String, _, Vec<u8>) = read(fields)?;
    Ok(GrantRequest {
        client_id,
        device_label,
        created_ip: read_address(&created_ip)?,
        user_agent,
        seal_key: seal_key.try_into().map_err(|_| unreadable_grant())?,
    })
}

fn read_address(text: &str) -> Result<IpAddr> {
    text.parse().map_err(Error::internal)
}

/// Does not repeat the content of the grant.
fn unreadable_grant() -> Error {
    Error::internal("a grant in Redis cannot be read")
}
