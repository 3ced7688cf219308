//! Access modes in the tables of this service, for a server without Dify Enterprise.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;

use crate::{
    domain::{
        Code, Error, Result,
        access_mode::AccessMode,
        app::stored_app::StoredApp,
        id::{AccountId, AppId, WorkspaceId},
        stored::StoredValue,
    },
    ports::enterprise::{Enterprise, ExternalAppPage, ExternalAppQuery},
    store::sql::SqlStore,
};

/// The mode of an app without a row.
const DEFAULT_MODE: AccessMode = AccessMode::PrivateAll;

pub(crate) struct BuiltInEnterprise {
    sql: Arc<SqlStore>,
}

impl BuiltInEnterprise {
    pub(crate) fn new(sql: Arc<SqlStore>) -> Self {
        Self { sql }
    }
}

#[async_trait]
impl Enterprise for BuiltInEnterprise {
    /// This service needs no license.
    async fn has_valid_license(&self) -> Result<bool> {
        Ok(true)
    }

    /// Read with the app, so that the gate needs no statement of its own.
    async fn access_mode(&self, app: &StoredApp) -> Result<Option<AccessMode>> {
        Ok(mode_of(app.access_mode.as_ref()))
    }

    async fn access_modes(&self, apps: &[AppId]) -> Result<HashMap<AppId, AccessMode>> {
        let stored = self.sql.find_access_modes(apps).await?;
        Ok(apps.iter().filter_map(|app| Some((*app, mode_of(stored.get(app))?))).collect())
    }

    async fn permitted_apps(&self, account: AccountId, apps: &[AppId]) -> Result<HashSet<AppId>> {
        self.sql.find_permitted_apps(account, apps).await
    }

    async fn list_external_apps(&self, query: &ExternalAppQuery<'_>) -> Result<ExternalAppPage> {
        self.sql.list_external_apps(query).await.map_err(|cause| {
            Error::new(
                Code::PermittedExternalAppsUnavailable,
                "The permitted apps cannot be listed right now. Try again shortly.",
            )
            .with_retry_after(Duration::from_secs(5))
            .with_source(cause)
        })
    }

    async fn token_lifetime(&self, _workspace: WorkspaceId) -> Option<Duration> {
        None
    }
}

/// The mode in force. A word that this version does not know denies access.
fn mode_of(stored: Option<&StoredValue<AccessMode>>) -> Option<AccessMode> {
    stored.map_or(Some(DEFAULT_MODE), StoredValue::known)
}
