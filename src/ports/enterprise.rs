//! Decides who may use which app in the Enterprise edition (contract sections E1 and 11).
//!
//! `enterprise::remote` asks Dify Enterprise, `enterprise::built_in` reads this service's own tables.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use async_trait::async_trait;

use crate::domain::{
    Result,
    access_mode::AccessMode,
    app::{stored_app::StoredApp, summary::AppFilter},
    id::{AccountId, AppId, WorkspaceId},
    page::PageRequest,
};

/// A page of the apps that external identities may use, with its filters.
#[derive(Clone, Copy, Debug)]
pub struct ExternalAppQuery<'a> {
    pub page: PageRequest,
    /// Without a tag; some app may match it.
    pub filter: &'a AppFilter,
}

/// The ids of a page, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalAppPage {
    /// Number of apps of all pages.
    pub total: u64,
    pub has_more: bool,
    /// At most as many as were requested.
    pub apps: Vec<AppId>,
}

/// Answers the requests of the gates. No failure is ever an answer that allows something.
#[async_trait]
pub trait Enterprise: Send + Sync + 'static {
    /// Fails with `service_unavailable`.
    async fn has_valid_license(&self) -> Result<bool>;

    /// The access modes of these apps. An app that is missing from the map is denied to everyone. Fails with
    /// `service_unavailable`.
    async fn access_modes(&self, apps: &[AppId]) -> Result<HashMap<AppId, AccessMode>>;

    /// The access mode of one app that was read from the database; `None` is denied to everyone. Fails with
    /// `service_unavailable`.
    async fn access_mode(&self, app: &StoredApp) -> Result<Option<AccessMode>> {
        Ok(self.access_modes(&[app.id]).await?.get(&app.id).copied())
    }

    /// Those of these `private` apps that the account may use. Fails with `service_unavailable`.
    async fn permitted_apps(&self, account: AccountId, apps: &[AppId]) -> Result<HashSet<AppId>>;

    /// Fails with `permitted_external_apps_unavailable`.
    async fn list_external_apps(&self, query: &ExternalAppQuery<'_>) -> Result<ExternalAppPage>;

    /// The lifetime of the tokens of a workspace's accounts. `None` means the configured one, also after a failure.
    async fn token_lifetime(&self, workspace: WorkspaceId) -> Option<Duration>;
}
