//! The answers of the enterprise service in this process, for a server without Redis.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    domain::{
        Result,
        access_mode::LicenseStatus,
        id::{AccountId, AppId},
        stored::StoredValue,
    },
    ports::{
        clock::Clock,
        enterprise_cache::{EnterpriseCache, license_lifetime, permission_lifetime},
    },
    store::state::{
        bounded_map::{BoundedMap, Expires},
        micros::{micros, now_us},
    },
};

/// Entries of the process. Further ones are not cached.
pub(crate) struct MemoryEnterpriseCache {
    clock: Arc<dyn Clock>,
    license: Mutex<Option<Entry<StoredValue<LicenseStatus>>>>,
    permissions: Mutex<BoundedMap<(AccountId, AppId), Entry<bool>>>,
}

struct Entry<T> {
    value: T,
    expires_us: u64,
}

impl<T> Expires for Entry<T> {
    fn is_expired(&self, now_us: u64) -> bool {
        now_us >= self.expires_us
    }
}

impl MemoryEnterpriseCache {
    pub(crate) fn new(clock: Arc<dyn Clock>, max_permissions: usize) -> Self {
        Self { clock, license: Mutex::default(), permissions: Mutex::new(BoundedMap::new(max_permissions)) }
    }
}

#[async_trait]
impl EnterpriseCache for MemoryEnterpriseCache {
    async fn find_license(&self) -> Result<Option<StoredValue<LicenseStatus>>> {
        let now_us = now_us(&*self.clock);
        let license = self.license.lock();
        Ok(license.as_ref().filter(|entry| !entry.is_expired(now_us)).map(|entry| entry.value.clone()))
    }

    async fn put_license(&self, status: &StoredValue<LicenseStatus>) -> Result<()> {
        let expires_us = now_us(&*self.clock).saturating_add(micros(license_lifetime(status)));
        *self.license.lock() = Some(Entry { value: status.clone(), expires_us });
        Ok(())
    }

    async fn find_permissions(&self, account: AccountId, apps: &[AppId]) -> Result<HashMap<AppId, bool>> {
        let now_us = now_us(&*self.clock);
        let permissions = self.permissions.lock();
        let find = |app: &AppId| permissions.get(&(account, *app), now_us).map(|entry| (*app, entry.value));
        Ok(apps.iter().filter_map(find).collect())
    }

    async fn put_permissions(&self, account: AccountId, permissions: &HashMap<AppId, bool>) -> Result<()> {
        let now_us = now_us(&*self.clock);
        let mut cached = self.permissions.lock();
        for (app, is_allowed) in permissions {
            let expires_us = now_us.saturating_add(micros(permission_lifetime(*is_allowed)));
            cached.insert((account, *app), Entry { value: *is_allowed, expires_us }, now_us)?;
        }
        Ok(())
    }
}
