//! The `app-` keys that runs are forwarded with: read from Dify's table, made where an app has none, kept for a minute.

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

/// How long a key is used without looking whether it is still the app's.
const LIFETIME: Duration = Duration::from_mins(1);
/// Keys in memory at most.
const MOST: usize = 4_096;
/// Characters after `app-`, as Dify makes them.
const LENGTH: usize = 24;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The keys of apps.
pub(super) struct AppKeys {
    sql: Arc<SqlStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    known: Mutex<HashMap<AppId, (Secret, Instant)>>,
    /// One transaction at a time: the first runs of an app need not queue up in the database.
    making: tokio::sync::Mutex<()>,
}

impl AppKeys {
    pub(super) fn new(sql: Arc<SqlStore>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { sql, clock, entropy, known: Mutex::default(), making: tokio::sync::Mutex::default() }
    }

    /// The app's key.
    pub(super) async fn get(&self, app: &App) -> Result<Secret> {
        if let Some(key) = self.known(app.id) {
            return Ok(key);
        }
        if let Some(key) = self.sql.find_app_key(app.id).await? {
            self.remember(app.id, &key);
            return Ok(key);
        }
        let _one_at_a_time = self.making.lock().await;
        if let Some(key) = self.known(app.id) {
            return Ok(key);
        }
        let kept = self.sql.get_or_create_app_key(app.id, &self.mint()?, self.clock.now()).await?;
        if let Some(id) = kept.created_id {
            AuditEvent::AppKeyCreated { app_id: app.id, tenant_id: app.workspace_id, api_token_id: id }.record();
        }
        self.remember(app.id, &kept.key);
        Ok(kept.key)
    }

    /// Drops a key that was refused; one that took its place meanwhile stays.
    pub(super) fn forget(&self, app: AppId, refused: &Secret) {
        let mut known = self.known.lock();
        let is_it =
            |(key, _): &(Secret, Instant)| constant_time_eq(key.expose().as_bytes(), refused.expose().as_bytes());
        if known.get(&app).is_some_and(is_it) {
            known.remove(&app);
        }
    }

    fn known(&self, app: AppId) -> Option<Secret> {
        let known = self.known.lock();
        let (key, since) = known.get(&app)?;
        (since.elapsed() < LIFETIME).then(|| key.clone())
    }

    fn remember(&self, app: AppId, key: &Secret) {
        let mut known = self.known.lock();
        if known.len() >= MOST && !known.contains_key(&app) {
            known.retain(|_, (_, since)| since.elapsed() < LIFETIME);
            if known.len() >= MOST {
                // More apps in a minute than fit: begin anew, which costs each a read.
                known.clear();
            }
        }
        known.insert(app, (key.clone(), Instant::now()));
    }

    fn mint(&self) -> Result<Secret> {
        // The largest multiple of 62 in a byte; more bytes than characters, for those that fall outside.
        const UNBIASED: u8 = 248;
        let mut key = String::with_capacity("app-".len() + LENGTH);
        key.push_str("app-");
        while key.len() < "app-".len() + LENGTH {
            let bytes = Zeroizing::new(self.entropy.array::<LENGTH>()?);
            let left = "app-".len() + LENGTH - key.len();
            let fit = bytes.iter().filter(|byte| **byte < UNBIASED).take(left);
            key.extend(fit.map(|byte| char::from(ALPHABET[usize::from(byte % 62)])));
        }
        Ok(Secret::new(key))
    }
}
