//! The cipher of a standalone server: all values of a row are one text, encrypted under a key derived from
//! `SECRET_KEY`, with the row's identity as associated data.

use std::sync::Arc;

use async_trait::async_trait;

use super::unreadable::unreadable;
use crate::{
    domain::{
        Result,
        connection::{field::CredentialField, values::CredentialValues},
        key::KeyRing,
        secret::Secret,
    },
    ports::credential_cipher::{CredentialCipher, OpenedValues, RowSealer, SealedRow},
};

/// Seals with the key ring of the process.
#[derive(Debug)]
pub(crate) struct StandaloneCipher {
    keys: Arc<KeyRing>,
}

impl StandaloneCipher {
    pub(crate) fn new(keys: Arc<KeyRing>) -> Self {
        Self { keys }
    }
}

/// Seals the values of one row.
struct StandaloneSealer {
    keys: Arc<KeyRing>,
    identity: String,
}

impl RowSealer for StandaloneSealer {
    fn seal(&self, _: &[CredentialField], values: &CredentialValues) -> Result<Secret> {
        let plaintext = Secret::new(values.to_json());
        Ok(Secret::new(self.keys.seal_credentials(&self.identity, plaintext.expose().as_bytes())?))
    }
}

/// The identity of a row. It must not change: stored values are bound to it.
fn identity(row: SealedRow<'_>) -> String {
    match row {
        SealedRow::Connection { workspace, id } => format!("tool_builtin_providers/{workspace}/{id}"),
        SealedRow::WorkspaceClient { workspace, provider } => {
            format!("tool_oauth_tenant_clients/{workspace}/{provider}")
        }
        SealedRow::SystemClient { provider } => format!("tool_oauth_system_clients/{provider}"),
    }
}

/// The key that encrypts rows.
const KEY: &str = "`SECRET_KEY`, `SECRET_KEYS_PREVIOUS`";

#[async_trait]
impl CredentialCipher for StandaloneCipher {
    async fn sealer(&self, row: SealedRow<'_>) -> Result<Box<dyn RowSealer>> {
        Ok(Box::new(StandaloneSealer { keys: Arc::clone(&self.keys), identity: identity(row) }))
    }

    fn rotates(&self, _: SealedRow<'_>) -> bool {
        true
    }

    async fn open(&self, row: SealedRow<'_>, _: &[CredentialField], sealed: &Secret) -> Result<OpenedValues> {
        let opened = self.keys.open_credentials(&identity(row), sealed.expose()).ok_or_else(|| unreadable(row, KEY))?;
        let values = CredentialValues::from_json(&opened.plaintext).ok_or_else(|| unreadable(row, KEY))?;
        Ok(OpenedValues { values, is_stale: opened.is_stale })
    }
}
