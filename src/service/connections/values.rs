//! Opens the values of rows, and seals them again after a rotation of the key.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{Connections, error::unknown_connection};
use crate::{
    domain::{
        Code, Error, Result,
        connection::{
            credential::{Connection, CredentialType, ReplacedCredentials},
            field::CredentialField,
            manifest::ProviderManifest,
            provider_key::ProviderKey,
            values::CredentialValues,
        },
        secret::Secret,
    },
    ports::credential_cipher::{OpenedValues, SealedRow},
};

/// Attempts to replace credentials that something else replaces at the same time.
pub(super) const MAX_STORE_ATTEMPTS: usize = 5;
/// Attempts to execute one replacement, while the database fails.
const MAX_WRITE_ATTEMPTS: u32 = 6;
/// The pause after the first failed one. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The row of a connection.
pub(super) fn row_of(connection: &Connection) -> SealedRow<'static> {
    SealedRow::Connection { workspace: connection.workspace_id, id: connection.id }
}

/// The fields of a connection's values.
pub(super) fn fields_of<'a>(manifest: &'a ProviderManifest, connection: &Connection) -> &'a [CredentialField] {
    if connection.kind.is(CredentialType::OAuth) { &manifest.oauth_fields } else { &manifest.api_key_fields }
}

impl Connections {
    /// The values of a connection, and whether a previous key has sealed them.
    pub(super) async fn open_sealed(
        &self,
        manifest: &ProviderManifest,
        connection: &Connection,
    ) -> Result<OpenedValues> {
        self.dependencies.cipher.open(row_of(connection), fields_of(manifest, connection), &connection.sealed).await
    }

    /// The values of a connection. Values that a previous key has sealed are sealed again, best effort. Not for values
    /// that are about to be replaced: the replacement compares the sealed ones.
    pub(super) async fn open(&self, manifest: &ProviderManifest, connection: &Connection) -> Result<CredentialValues> {
        let opened = self.open_sealed(manifest, connection).await?;
        if opened.is_stale
            && let Err(error) = self.seal_again(manifest, connection, &opened.values).await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "credentials were not encrypted with the new key");
        }
        Ok(opened.values)
    }

    /// Replaces the values of a connection that a provider has issued new ones for. Returns the stored connection when
    /// it has other values than the old and the new ones. Fails with `not_found` for one that was deleted.
    ///
    /// The provider may accept only the new values. So this is repeated when the database fails. A failed statement may
    /// have been executed: then the stored values are the new ones.
    pub(super) async fn replace_issued(
        &self,
        connection: &Connection,
        replaced: &ReplacedCredentials<'_>,
    ) -> Result<Option<Connection>> {
        let (sql, id) = (&self.dependencies.context.sql, connection.id);
        let replace = async || {
            if self.replace_row(connection, replaced.clone()).await? {
                return Ok(None);
            }
            let stored = sql.find_any_connection(id).await?.ok_or_else(unknown_connection)?;
            Ok::<_, Error>(Some(stored).filter(|stored| stored.sealed.expose() != replaced.new.expose()))
        };
        let (mut attempts, mut pause) = (1, FIRST_PAUSE);
        loop {
            match replace().await {
                Err(error) if error.code() != Code::NotFound && attempts < MAX_WRITE_ATTEMPTS => {
                    tracing::warn!(
                        connection_id = %id, attempts, error = &error as &dyn std::error::Error,
                        "issued credentials were not stored, which is tried again"
                    );
                    sleep(pause).await;
                    (attempts, pause) = (attempts + 1, 2 * pause);
                }
                done => return done,
            }
        }
    }

    /// Seals values with the current key. Does nothing when the row has changed. The credentials stay as old as they
    /// are.
    pub(super) async fn seal_again(
        &self,
        manifest: &ProviderManifest,
        connection: &Connection,
        values: &CredentialValues,
    ) -> Result<bool> {
        let new = self.seal(manifest, connection, values).await?;
        let (old, expires_at) = (&connection.sealed, connection.expires_at);
        let replaced = ReplacedCredentials { old, new: &new, expires_at, now: connection.updated_at };
        self.replace_row(connection, replaced).await
    }

    pub(super) async fn seal(
        &self,
        manifest: &ProviderManifest,
        connection: &Connection,
        values: &CredentialValues,
    ) -> Result<Secret> {
        self.dependencies.cipher.seal(row_of(connection), fields_of(manifest, connection), values).await
    }

    /// The manifest of a stored connection.
    pub(super) async fn manifest_of(&self, connection: &Connection) -> Result<(ProviderKey, Arc<ProviderManifest>)> {
        let key: ProviderKey = connection.provider.parse().map_err(|_| super::error::unknown_provider())?;
        let manifest = self.provider(&key).await?;
        Ok((key, manifest))
    }
}
