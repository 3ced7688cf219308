//! Pending imports in this process.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    domain::{Error, Result},
    ports::{
        clock::Clock,
        pending_import_store::{LIFETIME, PendingImportKey, PendingImportStore},
    },
    store::state::{
        bounded_map::{BoundedMap, Expires},
        micros::{micros, now_us},
    },
};

/// Imports kept at once.
const MAX_IMPORTS: usize = 1_000;
/// Bytes of all imports that are kept.
const MAX_BYTES: usize = 40 << 20;
/// Bytes of one account's imports: more than the longest file when it is sealed. The rest is for others.
const MAX_ACCOUNT_BYTES: usize = MAX_BYTES / 2;

/// Pending imports in this process.
pub(crate) struct MemoryPendingImportStore {
    clock: Arc<dyn Clock>,
    imports: Mutex<BoundedMap<PendingImportKey, PendingImport>>,
}

struct PendingImport {
    sealed: String,
    expires_us: u64,
}

impl Expires for PendingImport {
    fn is_expired(&self, now_us: u64) -> bool {
        now_us >= self.expires_us
    }
}

impl MemoryPendingImportStore {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, imports: Mutex::new(BoundedMap::new(MAX_IMPORTS)) }
    }
}

#[async_trait]
impl PendingImportStore for MemoryPendingImportStore {
    async fn put(&self, key: PendingImportKey, sealed: String) -> Result<()> {
        let (mut imports, now_us) = (self.imports.lock(), now_us(&*self.clock));
        imports.drop_expired(now_us);
        let (mut of_all, mut of_account) = (sealed.len(), sealed.len());
        for (other, import) in imports.iter() {
            of_all += import.sealed.len();
            if other.account == key.account {
                of_account += import.sealed.len();
            }
        }
        if of_account > MAX_ACCOUNT_BYTES || of_all > MAX_BYTES {
            return Err(Error::unavailable("in-process imports are full"));
        }
        imports.insert(key, PendingImport { sealed, expires_us: now_us.saturating_add(micros(LIFETIME)) }, now_us)
    }

    async fn take(&self, key: PendingImportKey) -> Result<Option<String>> {
        let (mut imports, now_us) = (self.imports.lock(), now_us(&*self.clock));
        Ok(imports.remove(&key).filter(|import| !import.is_expired(now_us)).map(|import| import.sealed))
    }
}
