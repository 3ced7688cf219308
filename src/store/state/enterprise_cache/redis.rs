//! The answers of the enterprise service in Redis, which Dify reads and writes as well.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    domain::{
        Result,
        access_mode::LicenseStatus,
        id::{AccountId, AppId},
        stored::StoredValue,
    },
    ports::enterprise_cache::{EnterpriseCache, license_lifetime, permission_lifetime},
    store::state::redis::RedisState,
};

const ALLOW: &str = "allow";
const DENY: &str = "deny";
/// Limit of bytes in a license status. A longer value counts as absent.
const MAX_STATUS: usize = 64;
/// Entries that one call writes at most; the others are requested again.
const MAX_WRITES: usize = 1_000;
/// Writes of one call that are under way at the same time. Their keys are in different slots of a cluster.
const CONCURRENT_WRITES: usize = 16;

impl RedisState {
    async fn set_answer(&self, key: String, value: &str, lifetime: Duration) -> Result<()> {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(value).arg("EX").arg(lifetime.as_secs());
        self.run(&command).await
    }
}

#[async_trait]
impl EnterpriseCache for RedisState {
    async fn find_license(&self) -> Result<Option<StoredValue<LicenseStatus>>> {
        let mut command = redis::cmd("GET");
        command.arg(self.keys().license_status());
        let value: Option<Vec<u8>> = self.run(&command).await?;
        let text = value.filter(|value| value.len() <= MAX_STATUS).and_then(|value| String::from_utf8(value).ok());
        Ok(text.filter(|text| !text.is_empty()).map(StoredValue::from))
    }

    async fn put_license(&self, status: &StoredValue<LicenseStatus>) -> Result<()> {
        if status.as_str().is_empty() || status.as_str().len() > MAX_STATUS {
            return Ok(());
        }
        self.set_answer(self.keys().license_status(), status.as_str(), license_lifetime(status)).await
    }

    async fn find_permissions(&self, account: AccountId, apps: &[AppId]) -> Result<HashMap<AppId, bool>> {
        let mut command = redis::cmd("MGET");
        for app in apps {
            command.arg(self.keys().app_permission(account, *app));
        }
        if apps.is_empty() {
            return Ok(HashMap::new());
        }
        let values: Vec<Option<Vec<u8>>> = self.run(&command).await?;
        // A value of another kind counts as absent.
        let read = |(app, value): (&AppId, Option<Vec<u8>>)| match value?.as_slice() {
            value if value == ALLOW.as_bytes() => Some((*app, true)),
            value if value == DENY.as_bytes() => Some((*app, false)),
            _ => None,
        };
        Ok(apps.iter().zip(values).filter_map(read).collect())
    }

    async fn put_permissions(&self, account: AccountId, permissions: &HashMap<AppId, bool>) -> Result<()> {
        let write = |(app, is_allowed): (&AppId, &bool)| {
            let (key, value) = (self.keys().app_permission(account, *app), if *is_allowed { ALLOW } else { DENY });
            let lifetime = permission_lifetime(*is_allowed);
            async move { self.set_answer(key, value, lifetime).await }
        };
        let writes: Vec<_> = permissions.iter().take(MAX_WRITES).map(write).collect();
        stream::iter(writes).buffer_unordered(CONCURRENT_WRITES).try_collect().await
    }
}
