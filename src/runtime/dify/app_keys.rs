//! The `app-` keys with which runs are forwarded: read from Dify's table, created for apps without one, and cached.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use zeroize::Zeroizing;

use crate::{
    domain::{
        Result,
        app::App,
        id::AppId,
        secret::{Secret, constant_time_eq},
    },
    ports::{clock::Clock, entropy::Entropy},
    store::sql::SqlStore,
    telemetry::audit::AuditEvent,
};

/// How long a cached key is used without reading the table again.
const CACHE_TTL: Duration = Duration::from_mins(1);
/// Largest number of cached keys.
const MAX_CACHED: usize = 4_096;
/// Number of characters after `app-` in the keys that Dify creates.
const KEY_LENGTH: usize = 24;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

pub(super) struct AppKeys {
    sql: Arc<SqlStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// Keys with the time they were cached.
    cached: Mutex<HashMap<AppId, (Secret, Instant)>>,
    /// Held while a key is created, so that the first runs of an app do not wait for each other in the database.
    creating: tokio::sync::Mutex<()>,
}

impl AppKeys {
    pub(super) fn new(sql: Arc<SqlStore>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { sql, clock, entropy, cached: Mutex::default(), creating: tokio::sync::Mutex::default() }
    }

    pub(super) async fn get(&self, app: &App) -> Result<Secret> {
        if let Some(key) = self.cached(app.id) {
            return Ok(key);
        }
        if let Some(key) = self.sql.find_app_key(app.id).await? {
            self.cache(app.id, &key);
            return Ok(key);
        }
        let _creating = self.creating.lock().await;
        if let Some(key) = self.cached(app.id) {
            return Ok(key);
        }
        let stored = self.sql.get_or_create_app_key(app.id, &self.generate()?, self.clock.now()).await?;
        if let Some(id) = stored.created_id {
            AuditEvent::AppKeyCreated { app_id: app.id, tenant_id: app.workspace_id, api_token_id: id }.record();
        }
        self.cache(app.id, &stored.key);
        Ok(stored.key)
    }

    /// Removes a key that Dify rejected from the cache. A newer key stays.
    pub(super) fn forget(&self, app: AppId, rejected: &Secret) {
        let mut cached = self.cached.lock();
        let is_rejected =
            |(key, _): &(Secret, Instant)| constant_time_eq(key.expose().as_bytes(), rejected.expose().as_bytes());
        if cached.get(&app).is_some_and(is_rejected) {
            cached.remove(&app);
        }
    }

    fn cached(&self, app: AppId) -> Option<Secret> {
        let cached = self.cached.lock();
        let (key, since) = cached.get(&app)?;
        (since.elapsed() < CACHE_TTL).then(|| key.clone())
    }

    fn cache(&self, app: AppId, key: &Secret) {
        let mut cached = self.cached.lock();
        if cached.len() >= MAX_CACHED && !cached.contains_key(&app) {
            cached.retain(|_, (_, since)| since.elapsed() < CACHE_TTL);
            if cached.len() >= MAX_CACHED {
                // More apps within the TTL than fit. Each costs one more read.
                cached.clear();
            }
        }
        cached.insert(app, (key.clone(), Instant::now()));
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
