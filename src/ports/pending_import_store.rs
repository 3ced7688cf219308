//! Imports of apps that wait for a confirmation.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    Result,
    id::{AccountId, ImportId, WorkspaceId},
};

/// How long an import waits: as long as Dify's.
pub(crate) const LIFETIME: Duration = Duration::from_mins(10);

/// An import. Only the account that began it, in the same workspace, may confirm it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PendingImportKey {
    pub workspace: WorkspaceId,
    pub account: AccountId,
    pub id: ImportId,
}

/// Keeps pending imports. Every method is one atomic step at the store, by the store's clock; it fails with
/// `service_unavailable`.
#[async_trait]
pub trait PendingImportStore: Send + Sync + 'static {
    /// Keeps the sealed content of an import for [`LIFETIME`].
    async fn put(&self, key: PendingImportKey, sealed: String) -> Result<()>;

    /// Removes and returns an import. Of several calls one gets it; `None` for the others, and when it has expired.
    async fn take(&self, key: PendingImportKey) -> Result<Option<String>>;
}
