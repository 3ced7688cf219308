//! The cipher beside Dify: Dify's own formats, so that both read each other's rows (contract K3). Only the fields of
//! type `secret-input` of a workspace's values are encrypted; an OAuth client of the instance is encrypted whole.

mod hybrid;
mod workspace_keys;

use std::sync::Arc;

use async_trait::async_trait;
use rsa::PublicKey;
use serde_json::Value;
use tokio::{sync::Semaphore, task::spawn_blocking};

pub(crate) use self::workspace_keys::WorkspaceKeys;
use super::unreadable::unreadable;
use crate::{
    domain::{
        Error, Result,
        connection::{
            field::{CredentialField, FieldKind},
            values::CredentialValues,
        },
        id::WorkspaceId,
        key::KeyRing,
        secret::Secret,
    },
    ports::credential_cipher::{CredentialCipher, OpenedValues, RowSealer, SealedRow},
};

/// Rows that are decrypted at the same time: each secret takes milliseconds of a processor.
const MAX_CONCURRENT: usize = 4;

/// Seals with the keys of Dify.
pub(crate) struct DifyCipher {
    keys: Arc<KeyRing>,
    workspace_keys: WorkspaceKeys,
    permits: Arc<Semaphore>,
}

impl DifyCipher {
    pub(crate) fn new(keys: Arc<KeyRing>, workspace_keys: WorkspaceKeys) -> Self {
        Self { keys, workspace_keys, permits: Arc::new(Semaphore::new(MAX_CONCURRENT)) }
    }

    fn open_system_client(&self, row: SealedRow<'_>, sealed: &Secret) -> Result<OpenedValues> {
        let opened = self.keys.open_system_client(sealed.expose(), CredentialValues::from_json);
        let (values, is_stale) = opened.ok_or_else(|| unreadable(row, "`SECRET_KEY`"))?;
        Ok(OpenedValues { values, is_stale })
    }

    /// Decrypts texts with the key of a workspace. `None` when one of them cannot be decrypted.
    async fn decrypt(&self, workspace: WorkspaceId, texts: Vec<String>) -> Result<Option<Vec<Secret>>> {
        let key = self.workspace_keys.private(workspace).await?;
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(Error::internal)?;
        let decrypt_all = move || {
            let _permit = permit;
            texts.iter().map(|text| hybrid::decrypt(text, &key)).collect()
        };
        spawn_blocking(decrypt_all).await.map_err(Error::internal)
    }
}

fn workspace_of(row: SealedRow<'_>) -> Option<WorkspaceId> {
    match row {
        SealedRow::Connection { workspace, .. } | SealedRow::WorkspaceClient { workspace, .. } => Some(workspace),
        SealedRow::SystemClient { .. } => None,
    }
}

/// The secrets among the values, by name. Dify leaves an empty one as it is.
fn secrets(fields: &[CredentialField], values: &CredentialValues) -> Vec<(String, String)> {
    let secret = |field: &CredentialField| {
        let text = match values.expose().get(&field.name)? {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (!text.is_empty()).then(|| (field.name.clone(), text))
    };
    fields.iter().filter(|field| field.kind == FieldKind::Secret).filter_map(secret).collect()
}

/// Seals a client of the instance.
struct SystemSealer(Arc<KeyRing>);

impl RowSealer for SystemSealer {
    fn seal(&self, _: &[CredentialField], values: &CredentialValues) -> Result<Secret> {
        let plaintext = Secret::new(values.to_json());
        Ok(Secret::new(self.0.seal_system_client(plaintext.expose().as_bytes())))
    }
}

/// Seals with the public key of a workspace.
struct WorkspaceSealer(PublicKey);

impl RowSealer for WorkspaceSealer {
    fn seal(&self, fields: &[CredentialField], values: &CredentialValues) -> Result<Secret> {
        let mut sealed = values.clone();
        for (name, text) in secrets(fields, values) {
            let text = Secret::new(text);
            sealed.set(&name, Value::String(hybrid::encrypt(text.expose(), &self.0)?));
        }
        Ok(Secret::new(sealed.to_json()))
    }
}

#[async_trait]
impl CredentialCipher for DifyCipher {
    async fn sealer(&self, row: SealedRow<'_>) -> Result<Box<dyn RowSealer>> {
        match workspace_of(row) {
            Some(workspace) => Ok(Box::new(WorkspaceSealer(self.workspace_keys.public(workspace).await?))),
            None => Ok(Box::new(SystemSealer(Arc::clone(&self.keys)))),
        }
    }

    /// The key pairs of workspaces are Dify's.
    fn rotates(&self, row: SealedRow<'_>) -> bool {
        workspace_of(row).is_none()
    }

    async fn open(&self, row: SealedRow<'_>, fields: &[CredentialField], sealed: &Secret) -> Result<OpenedValues> {
        let Some(workspace) = workspace_of(row) else { return self.open_system_client(row, sealed) };
        let unreadable = || unreadable(row, &format!("`privkeys/{workspace}/private.pem` in Dify's storage"));
        let mut values = CredentialValues::from_json(sealed.expose().as_bytes()).ok_or_else(unreadable)?;
        let (names, texts): (Vec<_>, Vec<_>) = secrets(fields, &values).into_iter().unzip();
        // A secret of another version of the plugin, whose manifest is not known.
        let is_sealed =
            |(name, value): (&String, &Value)| !names.contains(name) && value.as_str().is_some_and(hybrid::is_sealed);
        if values.expose().iter().any(is_sealed) {
            return Err(unreadable());
        }
        if !texts.is_empty() {
            let opened = self.decrypt(workspace, texts).await?.ok_or_else(unreadable)?;
            for (name, secret) in names.iter().zip(opened) {
                values.set(name, Value::String(secret.expose().to_owned()));
            }
        }
        Ok(OpenedValues { values, is_stale: false })
    }
}
