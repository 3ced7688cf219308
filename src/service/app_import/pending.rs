//! Imports that wait for a confirmation: sealed, because files have secrets, and a few for each account.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        Error, Result,
        app::{file::ImportTarget, import::AppOverrides},
        id::AccountId,
        key::KeyRing,
    },
    ports::{
        lease_store::LeaseStore,
        pending_import_store::{LIFETIME, PendingImportKey, PendingImportStore},
    },
};

/// Imports of one account that wait at once.
const MAX_PENDING: u32 = 4;
/// Imports of all accounts that wait at once: each may take 14 MB of the store.
const MAX_ALL: u32 = 32;
/// The slots of all accounts' imports.
const SLOTS_OF_ALL: &str = "pending_imports";

/// Wait of a caller until slots may be free.
const RETRY_AFTER: Duration = Duration::from_mins(1);

/// An import that waits.
pub(super) struct PendingImport {
    pub(super) text: String,
    pub(super) target: ImportTarget,
    pub(super) overrides: AppOverrides,
}

/// The sealed content.
#[derive(Serialize, Deserialize)]
struct Content {
    text: String,
    app: Option<String>,
    name: Option<String>,
    description: Option<String>,
    icon_type: Option<String>,
    icon: Option<String>,
    icon_background: Option<String>,
}

/// The imports of all accounts that wait.
pub(super) struct PendingImports {
    store: Arc<dyn PendingImportStore>,
    leases: Arc<dyn LeaseStore>,
    keys: Arc<KeyRing>,
}

impl PendingImports {
    pub(super) fn new(store: Arc<dyn PendingImportStore>, leases: Arc<dyn LeaseStore>, keys: Arc<KeyRing>) -> Self {
        Self { store, leases, keys }
    }

    /// Keeps an import. Fails with `rate_limited` when the account has too many.
    pub(super) async fn keep(&self, key: PendingImportKey, pending: PendingImport) -> Result<()> {
        let overrides = pending.overrides;
        let content = Content {
            text: pending.text,
            app: match pending.target {
                ImportTarget::App(app) => Some(app.to_string()),
                ImportTarget::New | ImportTarget::Named => None,
            },
            name: overrides.name,
            description: overrides.description,
            icon_type: overrides.icon_type,
            icon: overrides.icon,
            icon_background: overrides.icon_background,
        };
        let text = serde_json::to_string(&content).map_err(Error::internal)?;
        let sealed = self.keys.seal_app_secret(&text)?;
        if !self.leases.acquire_slot(&slots_of(key.account), key.id.0, MAX_PENDING, LIFETIME).await? {
            return Err(Error::rate_limited(RETRY_AFTER)
                .with_hint("Confirm the imports that wait, or let them expire within 10 minutes."));
        }
        let kept = match self.leases.acquire_slot(SLOTS_OF_ALL, key.id.0, MAX_ALL, LIFETIME).await {
            Ok(true) => self.store.put(key, sealed).await,
            Ok(false) => Err(Error::unavailable("too many imports wait").with_retry_after(RETRY_AFTER)),
            Err(error) => Err(error),
        };
        if kept.is_err() {
            self.release(key).await;
        }
        kept
    }

    /// Takes an import, which is gone then.
    pub(super) async fn take(&self, key: PendingImportKey) -> Result<Option<PendingImport>> {
        let Some(sealed) = self.store.take(key).await? else { return Ok(None) };
        self.release(key).await;
        let Some(opened) = self.keys.open_app_secret(&sealed) else { return Ok(None) };
        let content: Content = serde_json::from_str(opened.expose()).map_err(Error::internal)?;
        let target = match content.app {
            Some(app) => {
                ImportTarget::App(app.parse().map_err(|_| Error::internal("a pending import without an app"))?)
            }
            None => ImportTarget::New,
        };
        let overrides = AppOverrides {
            name: content.name,
            description: content.description,
            icon_type: content.icon_type,
            icon: content.icon,
            icon_background: content.icon_background,
        };
        Ok(Some(PendingImport { text: content.text, target, overrides }))
    }

    /// Releases the slots of an import. Slots that are not released expire.
    async fn release(&self, key: PendingImportKey) {
        let of_account = slots_of(key.account);
        for slots in [of_account.as_str(), SLOTS_OF_ALL] {
            if let Err(error) = self.leases.release_slot(slots, key.id.0).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "a slot of an import expires unreleased");
            }
        }
    }
}

fn slots_of(account: AccountId) -> String {
    format!("pending_imports:{account}")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::{
            Code,
            id::{ImportId, WorkspaceId},
            secret::Secret,
        },
        ports::clock::{Clock, SystemClock},
        store::state::in_process_stores,
    };

    fn new_key(account: AccountId) -> PendingImportKey {
        PendingImportKey { workspace: WorkspaceId(Uuid::new_v4()), account, id: ImportId(Uuid::new_v4()) }
    }

    fn new_import() -> PendingImport {
        PendingImport { text: "kind: app".to_owned(), target: ImportTarget::New, overrides: AppOverrides::default() }
    }

    #[tokio::test]
    async fn imports_of_an_account_and_of_all_are_limited_until_one_is_taken() {
        let stores = in_process_stores(&(Arc::new(SystemClock) as Arc<dyn Clock>));
        let keys = Arc::new(KeyRing::new(Secret::new("a secret of some length"), Vec::new()));
        let imports = PendingImports::new(stores.pending_imports, stores.leases, keys);
        let accounts: Vec<_> = (0..MAX_ALL / MAX_PENDING).map(|_| AccountId(Uuid::new_v4())).collect();
        let mut kept = Vec::new();
        for account in &accounts {
            for _ in 0..MAX_PENDING {
                kept.push(new_key(*account));
                imports.keep(kept[kept.len() - 1], new_import()).await.unwrap();
            }
            let refused = imports.keep(new_key(*account), new_import()).await.unwrap_err();
            assert_eq!(refused.code(), Code::RateLimited);
        }
        let late = new_key(AccountId(Uuid::new_v4()));
        assert_eq!(imports.keep(late, new_import()).await.unwrap_err().code(), Code::ServiceUnavailable);
        assert_eq!(imports.take(kept[0]).await.unwrap().unwrap().text, "kind: app");
        imports.keep(late, new_import()).await.unwrap();
        assert!(imports.take(late).await.unwrap().is_some() && imports.take(late).await.unwrap().is_none());
    }
}
