//! The limits a policy names, charged before the body is read.

use super::{Pipeline, policy::Policy};
use crate::domain::{
    Error, Result,
    caller::{Caller, ClientAddress, ConsoleCaller},
    limit::{LimitDecision, LimitName},
};

impl Pipeline {
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
            .map(|name| key(*name).map(|key| self.base.bucket(*name, key)))
            .collect::<Option<_>>()
            .ok_or_else(|| Error::internal("a limit without a key"))?;
        let verdict = match self.base.state.charge(&charges).await {
            // Bearer requests go on while the shared store is down, limited by each process for itself.
            Err(_) if caller.is_some() => self.base.fallback.charge(&charges).await?,
            decided => decided?,
        };
        match verdict {
            LimitDecision::Allowed => Ok(()),
            LimitDecision::Limited(retry_after) => Err(self.base.refuse(policy.limits[0], retry_after)),
        }
    }
}
