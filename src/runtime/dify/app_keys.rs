//! The `app-` keys with which runs are forwarded: read from Dify's table, created for apps without one, and cached.

use std::sync::Arc;

use chrono::TimeDelta;
use zeroize::Zeroizing;

use crate::{
    domain::{
        Result,
        app::App,
        id::AppId,
        secret::{Secret, constant_time_eq},
    },
    expiring_cache::ExpiringCache,
    ports::{clock::Clock, entropy::Entropy},
    store::sql::SqlStore,
    telemetry::audit::apps::AppEvent,
};

/// How long a cached key is used without reading the table again.
const CACHE_LIFETIME: TimeDelta = TimeDelta::minutes(1);
/// Largest number of cached keys.
const MAX_CACHED: usize = 4_096;
/// Number of characters after `app-` in the keys that Dify creates.
const KEY_LENGTH: usize = 24;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

pub(super) struct AppKeys {
    sql: Arc<SqlStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    cached: ExpiringCache<AppId, Secret>,
    /// Held while a key is created, so that the first runs of an app do not wait for each other in the database.
    creating: tokio::sync::Mutex<()>,
}

impl AppKeys {
    pub(super) fn new(sql: Arc<SqlStore>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let cached = ExpiringCache::new(CACHE_LIFETIME, MAX_CACHED);
        Self { sql, clock, entropy, cached, creating: tokio::sync::Mutex::default() }
    }

    pub(super) async fn get(&self, app: &App) -> Result<Secret> {
        let cached = || self.cached.get(&app.id, self.clock.now());
        if let Some(key) = cached() {
            return Ok(key);
        }
        if let Some(key) = self.sql.find_app_key(app.id).await? {
            self.cached.insert(app.id, key.clone(), self.clock.now());
            return Ok(key);
        }
        let _creating = self.creating.lock().await;
        if let Some(key) = cached() {
            return Ok(key);
        }
        let stored = self.sql.get_or_create_app_key(app.id, &self.generate()?, self.clock.now()).await?;
        if let Some(id) = stored.created_id {
            AppEvent::ApiKeyCreated { app_id: app.id, tenant_id: app.workspace_id, api_token_id: id }.record();
        }
        self.cached.insert(app.id, stored.key.clone(), self.clock.now());
        Ok(stored.key)
    }

    /// Removes a key that Dify rejected from the cache. A newer key stays.
    pub(super) fn forget(&self, app: AppId, rejected: &Secret) {
        let is_rejected = |key: &Secret| constant_time_eq(key.expose().as_bytes(), rejected.expose().as_bytes());
        self.cached.remove_if(&app, is_rejected);
    }

    fn generate(&self) -> Result<Secret> {
        // The largest multiple of 62 in a byte. Bytes from here on are dropped, so that all characters are equally
        // likely.
        const UNBIASED: u8 = 248;
        let mut key = String::with_capacity("app-".len() + KEY_LENGTH);
        key.push_str("app-");
        while key.len() < "app-".len() + KEY_LENGTH {
            let bytes = Zeroizing::new(self.entropy.array::<KEY_LENGTH>()?);
            let left = "app-".len() + KEY_LENGTH - key.len();
            let unbiased = bytes.iter().filter(|byte| **byte < UNBIASED).take(left);
            key.extend(unbiased.map(|byte| char::from(ALPHABET[usize::from(byte % 62)])));
        }
        Ok(Secret::new(key))
    }
}
