//! The lifetime of new tokens: the policy of the account's workspace, or the configured one (contract section 3).

use std::sync::Arc;

use chrono::TimeDelta;

use super::context::ServiceContext;
use crate::{
    domain::{Result, id::AccountId},
    ports::enterprise::Enterprise,
};

#[derive(Clone)]
pub struct TokenLifetimes {
    context: ServiceContext,
    /// `None` in the community edition.
    enterprise: Option<Arc<dyn Enterprise>>,
    configured: TimeDelta,
}

impl TokenLifetimes {
    pub fn new(context: ServiceContext, enterprise: Option<Arc<dyn Enterprise>>, configured: TimeDelta) -> Self {
        Self { context, enterprise, configured }
    }

    /// The configured lifetime, which the tokens of external identities have.
    pub fn configured(&self) -> TimeDelta {
        self.configured
    }

    /// The lifetime by the policy of the account's default workspace, or the configured one.
    pub async fn of_account(&self, account: AccountId) -> Result<TimeDelta> {
        Ok(self.policy_of(account).await?.unwrap_or(self.configured))
    }

    /// The policy of the account's default workspace; `None` when the configured lifetime applies.
    pub async fn policy_of(&self, account: AccountId) -> Result<Option<TimeDelta>> {
        let Some(enterprise) = &self.enterprise else { return Ok(None) };
        let view = self.context.sql.find_account_view(account).await?;
        let Some(workspace) = view.as_ref().and_then(|view| view.default_workspace()) else { return Ok(None) };
        let lifetime = enterprise.token_lifetime(workspace.workspace_id).await;
        Ok(lifetime.and_then(|lifetime| TimeDelta::from_std(lifetime).ok()))
    }
}
