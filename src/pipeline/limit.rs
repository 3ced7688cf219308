//! Charges the limits of a policy, before the body is read.

use super::policy::Policy;
use crate::{
    domain::{
        Error, Result,
        caller::{Caller, ClientAddress, ConsoleCaller},
        limit::{LimitDecision, LimitName},
    },
    service::rate_limiter::RateLimiter,
};

/// The limits that policies name.
pub(super) struct PolicyLimits {
    rate_limiter: RateLimiter,
}

impl PolicyLimits {
    pub(super) fn new(rate_limiter: RateLimiter) -> Self {
        Self { rate_limiter }
    }

    pub(super) async fn charge(
        &self,
        policy: &Policy,
        address: ClientAddress,
        caller: Option<&Caller>,
        console: Option<&ConsoleCaller>,
    ) -> Result<()> {
        if policy.limits.is_empty() {
            return Ok(());
        }
        let key = |name: LimitName| match name {
            LimitName::Account => caller.map(|caller| match caller.token.subject.account_id() {
                Some(id) => id.to_string(),
                None => caller.token.subject.email().to_lowercase(),
            }),
            LimitName::Approve => console.map(|console| console.account.id.to_string()),
            _ => Some(address.bucket()),
        };
        let charges: Vec<_> = policy
            .limits
            .iter()
            .map(|name| key(*name).map(|key| self.rate_limiter.bucket(*name, key)))
            .collect::<Option<_>>()
            .ok_or_else(|| Error::internal("a limit without a key"))?;
        // Bearer requests are served while the shared store is unavailable, limited by each process for itself.
        let verdict = match caller {
            Some(_) => self.rate_limiter.charge_with_fallback(&charges).await?.0,
            None => self.rate_limiter.charge(&charges).await?,
        };
        match verdict {
            LimitDecision::Allowed => Ok(()),
            LimitDecision::Limited(retry_after) => Err(self.rate_limiter.limited(policy.limits[0], retry_after)),
        }
    }
}
