//! Pending imports in Redis: a key for each.

use std::sync::LazyLock;

use async_trait::async_trait;

use crate::{
    domain::Result,
    ports::pending_import_store::{LIFETIME, PendingImportKey, PendingImportStore},
    store::state::redis::{RedisState, script::Script},
};

/// Reads and deletes in one step. `GETDEL` does so since Redis 6.2 only.
static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(&[include_str!("take.lua")]));

#[async_trait]
impl PendingImportStore for RedisState {
    async fn put(&self, key: PendingImportKey, sealed: String) -> Result<()> {
        let mut set = redis::cmd("SET");
        set.arg(self.keys().pending_import(key)).arg(sealed).arg("EX").arg(LIFETIME.as_secs());
        self.run(&set).await
    }

    async fn take(&self, key: PendingImportKey) -> Result<Option<String>> {
        self.eval_without_clock(&TAKE, &[self.keys().pending_import(key)], |_| {}).await
    }
}
