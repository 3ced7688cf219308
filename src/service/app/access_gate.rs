//! The gate of access modes (contract section 11). The community edition has none.

use std::{collections::HashSet, sync::Arc};

use super::not_found::no_such_app;
use crate::{
    domain::{
        Code, Error, Result,
        access_mode::{Access, AccessMode},
        app::stored_app::StoredApp,
        id::{AccountId, AppId},
        subject::{Subject, SubjectType},
    },
    ports::enterprise::Enterprise,
    service::license::Licenses,
};

#[derive(Clone)]
pub struct AccessGate {
    /// `None` in the community edition, where membership alone decides.
    enterprise: Option<Arc<dyn Enterprise>>,
    licenses: Licenses,
}

impl AccessGate {
    pub fn new(enterprise: Option<Arc<dyn Enterprise>>, licenses: Licenses) -> Self {
        Self { enterprise, licenses }
    }

    /// The backend of the Enterprise edition.
    pub(super) fn enterprise(&self) -> Option<&Arc<dyn Enterprise>> {
        self.enterprise.as_ref()
    }

    /// Checks a subject's access to one app. The account's membership of the app's workspace was checked before. Fails
    /// with `app_access_denied`, for external identities with `not_found`; with `license_required` for a `private` app
    /// without a license, and with `service_unavailable`.
    pub(super) async fn check(&self, subject: &Subject, app: &StoredApp) -> Result<()> {
        let Some(enterprise) = &self.enterprise else { return Ok(()) };
        let mode = enterprise.access_mode(app).await?;
        match (access_of(mode, subject.subject_type()), subject) {
            (Access::Allowed, _) => Ok(()),
            (Access::ByPermission, Subject::Account { id, .. }) => {
                self.licenses.require().await?;
                let permitted = enterprise.permitted_apps(*id, &[app.id]).await?;
                if permitted.contains(&app.id) { Ok(()) } else { Err(denied()) }
            }
            (Access::Denied, Subject::Account { .. }) => Err(denied()),
            (Access::Denied | Access::ByPermission, Subject::ExternalSso { .. }) => Err(no_such_app()),
        }
    }

    /// Those of these apps that an account may use, in their order, with one request for modes and one for
    /// permissions. Without a license, `private` apps are left out.
    pub(super) async fn filter(&self, account: AccountId, apps: Vec<AppId>) -> Result<Vec<AppId>> {
        let Some(enterprise) = &self.enterprise else { return Ok(apps) };
        let modes = enterprise.access_modes(&apps).await?;
        let access = |app: &AppId| access_of(modes.get(app).copied(), SubjectType::Account);
        let private: Vec<_> = apps.iter().copied().filter(|app| access(app) == Access::ByPermission).collect();
        let permitted = if !private.is_empty() && self.licenses.is_valid().await? {
            enterprise.permitted_apps(account, &private).await?
        } else {
            HashSet::new()
        };
        let is_allowed = |app: &AppId| match access(app) {
            Access::Allowed => true,
            Access::ByPermission => permitted.contains(app),
            Access::Denied => false,
        };
        Ok(apps.into_iter().filter(is_allowed).collect())
    }
}

/// Access to an app without a known mode is denied.
fn access_of(mode: Option<AccessMode>, subject_type: SubjectType) -> Access {
    mode.map_or(Access::Denied, |mode| mode.access_of(subject_type))
}

pub(super) fn denied() -> Error {
    Error::new(Code::AppAccessDenied, "You may not use this app.")
        .with_hint("Ask the app's owner or an administrator of its workspace for access.")
}
