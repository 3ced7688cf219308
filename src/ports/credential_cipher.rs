//! Encryption of credentials and of OAuth clients at rest (contract K3).

use async_trait::async_trait;

use crate::domain::{
    Result,
    connection::{field::CredentialField, provider_key::ProviderKey, values::CredentialValues},
    id::{ConnectionId, WorkspaceId},
    secret::Secret,
};

/// The row that holds the values. Sealed values cannot be opened in another row.
#[derive(Clone, Copy, Debug)]
pub enum SealedRow<'a> {
    Connection { workspace: WorkspaceId, id: ConnectionId },
    WorkspaceClient { workspace: WorkspaceId, provider: &'a ProviderKey },
    SystemClient { provider: &'a ProviderKey },
}

/// Values that were opened.
#[derive(Debug)]
pub struct OpenedValues {
    pub values: CredentialValues,
    /// Whether they are to be sealed again, because a previous key sealed them.
    pub is_stale: bool,
}

/// Seals the values of one row. It has its key already, so that a failure of a store does not prevent it.
pub trait RowSealer: Send + Sync {
    /// `fields` describe the values.
    fn seal(&self, fields: &[CredentialField], values: &CredentialValues) -> Result<Secret>;
}

/// Seals values for the database and opens them.
#[async_trait]
pub trait CredentialCipher: Send + Sync + 'static {
    /// Loads the key of a row.
    async fn sealer(&self, row: SealedRow<'_>) -> Result<Box<dyn RowSealer>>;

    async fn seal(&self, row: SealedRow<'_>, fields: &[CredentialField], values: &CredentialValues) -> Result<Secret> {
        self.sealer(row).await?.seal(fields, values)
    }

    /// Whether the key of a row is one of this service, which an operator rotates.
    fn rotates(&self, row: SealedRow<'_>) -> bool;

    /// Fails with `internal_state_invariant`, naming the row, for values that cannot be opened.
    async fn open(&self, row: SealedRow<'_>, fields: &[CredentialField], sealed: &Secret) -> Result<OpenedValues>;
}
