//! Charges the limits of a policy, before the body is read.

use super::policy::Policy;
use crate::{
    domain::{
        Error, Result,
        caller::{Caller, ClientAddress, ConsoleCaller, GrantCaller},
        limit::{LimitDecision, LimitName},
    },
    service::rate_limiter::RateLimiter,
};

/// The party whose requests are counted.
#[derive(Clone, Copy)]
pub(super) enum LimitedParty<'a> {
    /// Known by its address only.
    Address,
    Bearer(&'a Caller),
    ConsoleSession(&'a ConsoleCaller),
    ApprovalGrant(&'a GrantCaller),
}

/// The limits that policies name.
pub(super) struct PolicyLimits {
    rate_limiter: RateLimiter,
}

impl PolicyLimits {
    pub(super) fn new(rate_limiter: RateLimiter) -> Self {
        Self { rate_limiter }
    }

    pub(super) async fn charge(&self, policy: &Policy, address: ClientAddress, party: LimitedParty<'_>) -> Result<()> {
        if policy.limits.is_empty() {
            return Ok(());
        }
        let key = |name: LimitName| match (name, party) {
            (
                LimitName::Account | LimitName::Upload | LimitName::Invite | LimitName::Import,
                LimitedParty::Bearer(caller),
            ) => Some(caller.token.subject.limit_key()),
            (
                LimitName::Approve | LimitName::Connection | LimitName::ConsoleEdit,
                LimitedParty::ConsoleSession(caller),
            ) => Some(caller.account.id.to_string()),
            (LimitName::Approve | LimitName::ApproveExternal, LimitedParty::ApprovalGrant(caller)) => {
                Some(caller.email.to_lowercase())
            }
            (
                LimitName::Account
                | LimitName::Upload
                | LimitName::Invite
                | LimitName::Import
                | LimitName::Approve
                | LimitName::ApproveExternal
                | LimitName::Connection
                | LimitName::ConsoleEdit,
                _,
            ) => None,
            _ => Some(address.bucket()),
        };
        let charges: Vec<_> = policy
            .limits
            .iter()
            .map(|name| key(*name).map(|key| self.rate_limiter.bucket(*name, key)))
            .collect::<Option<_>>()
            .ok_or_else(|| Error::internal("a limit without a key"))?;
        // Bearer requests are served while the shared store is unavailable, limited by each process for itself.
        let verdict = match party {
            LimitedParty::Bearer(_) => self.rate_limiter.charge_with_fallback(&charges).await?.0,
            _ => self.rate_limiter.charge(&charges).await?,
        };
        match verdict {
            LimitDecision::Allowed => Ok(()),
            LimitDecision::Limited(retry_after) => Err(self.rate_limiter.limited(policy.limits[0], retry_after)),
        }
    }
}
