//! Grants in Redis: a hash per device code, and an index from user codes, which lie in other slots and are a command of their own.
//! An index entry whose grant is gone leads nowhere and does no harm.

use std::net::IpAddr;

use redis::{FromRedisValue, Value};

use super::{Redis, script};
use crate::domain::{
    Error, Result,
    grant::{
        Approval, CLAIM_LIFETIME, ClaimOutcome, DECIDED_LIFETIME, DenyOutcome, GrantRequest, INTERVAL, LIFETIME,
        MAX_INTERVAL, POLL_TOLERANCE_MS, PendingGrant, PollOutcome, SLOW_DOWN_STEP,
    },
    id::{ClaimId, TokenId},
    secret::{DeviceCodeHash, UserCodeKey},
};

const fn millis(seconds: u32) -> u64 {
    seconds as u64 * 1_000
}

/// The request as scripts answer it: client, label, address, user agent, seal key.
type Fields = (String, String, String, Option<String>, Vec<u8>);

/// An index entry that was followed.
struct Pointer {
    entry: String,
    device_hash: String,
    grant: String,
}

impl Redis {
    pub(super) async fn create(
        &self,
        device_code: &DeviceCodeHash,
        user_code: &UserCodeKey,
        request: &GrantRequest,
    ) -> Result<bool> {
        let (entry, grant, offset) = (self.keys.user_code(user_code), self.keys.grant(device_code), self.offset());
        let lifetime = millis(LIFETIME);
        let claimed: bool = self
            .links
            .eval(&script::INDEX_PUT, |command| {
                command.arg(1).arg(&entry).arg(offset).arg(device_code.expose()).arg(lifetime);
            })
            .await?;
        if !claimed {
            return Ok(false);
        }
        self.links
            .eval::<()>(&script::GRANT_CREATE, |command| {
                command.arg(1).arg(&grant).arg(offset).arg(lifetime).arg(INTERVAL);
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

    pub(super) async fn poll(&self, device_code: &DeviceCodeHash, client_id: &str) -> Result<PollOutcome> {
        let (grant, offset) = (self.keys.grant(device_code), self.offset());
        let reply: Vec<Value> = self
            .links
            .eval(&script::GRANT_POLL, |command| {
                command.arg(1).arg(&grant).arg(offset).arg(client_id);
                command.arg(POLL_TOLERANCE_MS).arg(SLOW_DOWN_STEP).arg(MAX_INTERVAL);
            })
            .await?;
        let (word, rest) = split(reply)?;
        Ok(match word.as_str() {
            "unknown" => PollOutcome::Unknown,
            "client_mismatch" => PollOutcome::ClientMismatch,
            "denied" => PollOutcome::Denied,
            "slow_down" => PollOutcome::SlowDown(read::<(u32,)>(rest)?.0),
            "pending" => PollOutcome::Pending { created_ip: address(&read::<(String,)>(rest)?.0)? },
            "approved" => {
                let (created_ip, token_id, sealed_token) = read::<(String, String, Vec<u8>)>(rest)?;
                let token_id = token_id.parse().map_err(Error::internal)?;
                PollOutcome::Approved {
                    created_ip: address(&created_ip)?,
                    approval: Approval { token_id, sealed_token },
                }
            }
            _ => return Err(unexpected()),
        })
    }

    pub(super) async fn pending(&self, user_codes: &[UserCodeKey]) -> Result<Option<PendingGrant>> {
        for user_code in user_codes {
            let Some(pointer) = self.follow(user_code).await? else { continue };
            let offset = self.offset();
            let reply: Option<Vec<Value>> = self
                .links
                .eval(&script::GRANT_PENDING, |command| {
                    command.arg(1).arg(&pointer.grant).arg(offset);
                })
                .await?;
            if let Some(mut reply) = reply.filter(|reply| reply.len() > 2) {
                let request = request(reply.split_off(2))?;
                let (created_at_ms, expires_in) = read(reply)?;
                return Ok(Some(PendingGrant { request, created_at_ms, expires_in }));
            }
        }
        Ok(None)
    }

    pub(super) async fn claim(&self, user_codes: &[UserCodeKey], claim: ClaimId) -> Result<ClaimOutcome> {
        for user_code in user_codes {
            let Some(pointer) = self.follow(user_code).await? else { continue };
            let offset = self.offset();
            let reply: Vec<Value> = self
                .links
                .eval(&script::GRANT_CLAIM, |command| {
                    command.arg(1).arg(&pointer.grant).arg(offset).arg(claim.to_string());
                    command.arg(millis(CLAIM_LIFETIME)).arg(millis(DECIDED_LIFETIME));
                })
                .await?;
            let (word, rest) = split(reply)?;
            match word.as_str() {
                "unknown" => {}
                "resolved" => return Ok(ClaimOutcome::Resolved),
                "in_progress" => return Ok(ClaimOutcome::InProgress),
                "taken" => return self.decided(&pointer, rest).await.map(ClaimOutcome::Taken),
                _ => return Err(unexpected()),
            }
        }
        Ok(ClaimOutcome::Unknown)
    }

    pub(super) async fn deny(&self, user_codes: &[UserCodeKey]) -> Result<DenyOutcome> {
        for user_code in user_codes {
            let Some(pointer) = self.follow(user_code).await? else { continue };
            let offset = self.offset();
            let reply: Vec<Value> = self
                .links
                .eval(&script::GRANT_DENY, |command| {
                    command.arg(1).arg(&pointer.grant).arg(offset).arg(millis(DECIDED_LIFETIME));
                })
                .await?;
            let (word, rest) = split(reply)?;
            match word.as_str() {
                "unknown" => {}
                "resolved" => return Ok(DenyOutcome::Resolved),
                "in_progress" => return Ok(DenyOutcome::InProgress),
                "denied" => return self.decided(&pointer, rest).await.map(DenyOutcome::Denied),
                _ => return Err(unexpected()),
            }
        }
        Ok(DenyOutcome::Unknown)
    }

    pub(super) async fn finish(&self, user_codes: &[UserCodeKey], claim: ClaimId, approval: &Approval) -> Result<bool> {
        for user_code in user_codes {
            let Some(pointer) = self.follow(user_code).await? else { continue };
            let offset = self.offset();
            let left: i64 = self
                .links
                .eval(&script::GRANT_FINISH, |command| {
                    command.arg(1).arg(&pointer.grant).arg(offset).arg(claim.to_string());
                    command.arg(approval.token_id.to_string()).arg(approval.sealed_token.as_slice());
                    command.arg(millis(DECIDED_LIFETIME));
                })
                .await?;
            if let Ok(left) = u64::try_from(left) {
                self.extend(&pointer, left).await;
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) async fn release(&self, user_codes: &[UserCodeKey], claim: ClaimId) -> Result<()> {
        for user_code in user_codes {
            let Some(pointer) = self.follow(user_code).await? else { continue };
            let offset = self.offset();
            self.links
                .eval::<()>(&script::GRANT_RELEASE, |command| {
                    command.arg(1).arg(&pointer.grant).arg(offset).arg(claim.to_string());
                })
                .await?;
        }
        Ok(())
    }

    pub(super) async fn redeem(&self, device_code: &DeviceCodeHash, token_id: TokenId) -> Result<bool> {
        let (grant, offset) = (self.keys.grant(device_code), self.offset());
        self.links
            .eval(&script::GRANT_REDEEM, |command| {
                command.arg(1).arg(&grant).arg(offset).arg(token_id.to_string());
            })
            .await
    }

    /// Which grant a user code points at, if any. Whether that grant is over is for the grant's own script to say.
    async fn follow(&self, user_code: &UserCodeKey) -> Result<Option<Pointer>> {
        let entry = self.keys.user_code(user_code);
        let value: Option<String> = self.links.run(redis::cmd("GET").arg(&entry)).await?;
        Ok(value.as_deref().and_then(|value| value.split_once(':')).map(|(_, device_hash)| Pointer {
            grant: self.keys.grant_of(device_hash),
            device_hash: device_hash.to_owned(),
            entry,
        }))
    }

    /// A decision's answer: what the grant has left if that changed, then the request.
    async fn decided(&self, pointer: &Pointer, mut reply: Vec<Value>) -> Result<GrantRequest> {
        let fields = reply.split_off(1.min(reply.len()));
        let (left,) = read::<(u64,)>(reply)?;
        self.extend(pointer, left).await;
        request(fields)
    }

    /// Lets the index entry live as long as the grant does now. The decision is made whether or not this succeeds: without it
    /// the code is merely found for less long.
    async fn extend(&self, pointer: &Pointer, left_ms: u64) {
        if left_ms == 0 {
            return;
        }
        let offset = self.offset();
        let extended = self
            .links
            .eval::<()>(&script::INDEX_EXTEND, |command| {
                command.arg(1).arg(&pointer.entry).arg(offset).arg(&pointer.device_hash).arg(left_ms);
            })
            .await;
        if let Err(error) = extended {
            tracing::warn!(error = &error as &dyn std::error::Error, "a user code's index was not extended");
        }
    }
}

fn split(mut reply: Vec<Value>) -> Result<(String, Vec<Value>)> {
    let rest = reply.split_off(1.min(reply.len()));
    let (word,) = read(reply)?;
    Ok((word, rest))
}

fn read<T: FromRedisValue>(values: Vec<Value>) -> Result<T> {
    T::from_redis_value(Value::Array(values)).map_err(|_| unexpected())
}

fn request(fields: Vec<Value>) -> Result<GrantRequest> {
    let (client_id, device_label, created_ip, user_agent, seal_key) = read::<Fields>(fields)?;
    Ok(GrantRequest {
        client_id,
        device_label,
        created_ip: address(&created_ip)?,
        user_agent,
        seal_key: seal_key.try_into().map_err(|_| unexpected())?,
    })
}

fn address(text: &str) -> Result<IpAddr> {
    text.parse().map_err(Error::internal)
}

/// What a grant holds is not repeated: only that it cannot be read.
fn unexpected() -> Error {
    Error::internal("a grant in Redis cannot be read")
}
