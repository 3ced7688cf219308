//! Encrypts all credentials and OAuth clients again with the current key.

use super::{Connections, values::row_of};
use crate::{
    domain::{
        Code, Error, Result,
        connection::{
            client::{ReplacedClient, StoredClient},
            provider_key::ProviderKey,
        },
        id::WorkspaceId,
    },
    ports::credential_cipher::SealedRow,
};

/// Connections that one statement reads.
const PAGE: u64 = 200;

/// What a rotation has done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rotated {
    pub total: usize,
    pub changed: usize,
    /// Rows that no known key opens, or whose provider is not known.
    pub unreadable: usize,
}

impl Rotated {
    fn count(&mut self, result: Result<bool>) -> Result<()> {
        self.total += 1;
        match result {
            Ok(changed) => self.changed += usize::from(changed),
            Err(error) if matches!(error.code(), Code::InternalStateInvariant | Code::NotFound) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a row was not encrypted again");
                self.unreadable += 1;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Connections {
    /// Seals every row that a previous key has sealed. A row that changes meanwhile is sealed with the current key
    /// already. Rows whose key is Dify's are not read or counted.
    pub(crate) async fn rotate_keys(&self) -> Result<Rotated> {
        let mut rotated = Rotated::default();
        let sql = &self.dependencies.context.sql;
        let mut after = None;
        loop {
            let page = sql.page_of_connections(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            let cipher = &self.dependencies.cipher;
            for connection in page.iter().filter(|connection| cipher.rotates(row_of(connection))) {
                let sealed = async {
                    let (_, manifest) = self.manifest_of(connection).await?;
                    let opened = self.open_sealed(&manifest, connection).await?;
                    Ok(opened.is_stale && self.seal_again(&manifest, connection, &opened.values).await?)
                };
                rotated.count(sealed.await)?;
            }
        }
        for (workspace, key, stored) in sql.list_clients().await? {
            let result = match key.parse() {
                Ok(key) => self.rotate_client(workspace, &key, &stored).await,
                Err(_) => Err(Error::not_found("The key of a provider is not valid.")),
            };
            if let Some(result) = result.transpose() {
                rotated.count(result)?;
            }
        }
        Ok(rotated)
    }

    /// Returns whether the client was sealed again; `None` for one whose key is not rotated.
    async fn rotate_client(
        &self,
        workspace: Option<WorkspaceId>,
        key: &ProviderKey,
        stored: &StoredClient,
    ) -> Result<Option<bool>> {
        let row = match workspace {
            Some(workspace) => SealedRow::WorkspaceClient { workspace, provider: key },
            None => SealedRow::SystemClient { provider: key },
        };
        let cipher = &self.dependencies.cipher;
        if !cipher.rotates(row) {
            return Ok(None);
        }
        let manifest = self.provider(key).await?;
        let opened = cipher.open(row, &manifest.client_fields, &stored.sealed).await?;
        if !opened.is_stale {
            return Ok(Some(false));
        }
        let sealed = cipher.seal(row, &manifest.client_fields, &opened.values).await?;
        let sql = &self.dependencies.context.sql;
        let replaced = ReplacedClient { old: &stored.sealed, new: &sealed };
        sql.replace_client(workspace, key, replaced).await.map(Some)
    }
}
