//! OAuth clients: this service's registrations at providers, of a workspace or of the whole instance.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Connections, error::client_missing, member::CurrentMember};
use crate::{
    domain::{
        Code, Error, Result,
        connection::{
            client::StoredClient, field::CredentialField, manifest::ProviderManifest, provider_key::ProviderKey,
            values::CredentialValues,
        },
        id::{AccountId, WorkspaceId},
    },
    ports::{connection_backend::BackendCall, credential_cipher::SealedRow},
    telemetry::audit::connections::ConnectionEvent,
};

/// The OAuth client of a workspace, as its administrators see it.
pub struct ClientView {
    pub fields: Vec<CredentialField>,
    /// Whether the workspace uses a client of its own.
    pub is_custom_enabled: bool,
    /// Whether the instance has a client.
    pub has_system_client: bool,
    /// The values of the workspace's own client, masked.
    pub params: Map<String, Value>,
    pub redirect_uri: String,
}

/// The registration at a provider that a workspace uses.
pub(super) struct ProviderClient {
    workspace: WorkspaceId,
    key: ProviderKey,
    manifest: Arc<ProviderManifest>,
    values: CredentialValues,
    redirect_uri: String,
}

impl ProviderClient {
    /// A call of the provider for an account.
    pub(super) fn call(&self, account: AccountId) -> BackendCall<'_> {
        BackendCall {
            workspace: self.workspace,
            account,
            provider: &self.key,
            manifest: &self.manifest,
            client: &self.values,
            redirect_uri: &self.redirect_uri,
        }
    }
}

impl Connections {
    /// What an administrator needs to register a client.
    pub async fn client_view(&self, member: CurrentMember, key: &ProviderKey) -> Result<ClientView> {
        member.require_admin()?;
        let manifest = self.oauth_provider(key).await?;
        let sql = &self.dependencies.context.sql;
        let stored = sql.find_workspace_client(member.workspace, key).await?;
        let params = match &stored {
            Some(stored) => self.open_client(member.workspace, key, &manifest, stored).await?,
            None => CredentialValues::default(),
        };
        Ok(ClientView {
            params: params.masked(&manifest.client_fields),
            is_custom_enabled: stored.is_some_and(|stored| stored.enabled),
            has_system_client: sql.find_system_client(key).await?.is_some(),
            redirect_uri: self.redirect_uri(key),
            fields: manifest.client_fields.clone(),
        })
    }

    /// Whether the workspace has a client, its own one or that of the instance.
    pub async fn has_client(&self, member: CurrentMember, key: &ProviderKey) -> Result<bool> {
        let has_own = self.has_custom_client(member, key).await?;
        Ok(has_own || self.dependencies.context.sql.find_system_client(key).await?.is_some())
    }

    /// Whether the workspace uses a client of its own.
    pub async fn has_custom_client(&self, member: CurrentMember, key: &ProviderKey) -> Result<bool> {
        let stored = self.dependencies.context.sql.find_workspace_client(member.workspace, key).await?;
        Ok(stored.is_some_and(|stored| stored.enabled))
    }

    /// Stores the workspace's own client. Without `params` or `enabled` the stored ones are kept.
    pub async fn put_client(
        &self,
        member: CurrentMember,
        key: &ProviderKey,
        params: Option<&CredentialValues>,
        enabled: Option<bool>,
    ) -> Result<()> {
        member.require_admin()?;
        let manifest = self.oauth_provider(key).await?;
        let context = &self.dependencies.context;
        let stored = context.sql.find_workspace_client(member.workspace, key).await?;
        let enabled = enabled.or(stored.as_ref().map(|stored| stored.enabled)).unwrap_or(true);
        let sealed = match (params, &stored) {
            (Some(params), _) => {
                let old = match &stored {
                    // A client that cannot be decrypted any more can be entered again.
                    Some(stored) => self.open_client(member.workspace, key, &manifest, stored).await.ok(),
                    None => None,
                };
                let values = CredentialValues::entered(&manifest.client_fields, params, old.as_ref())?;
                let row = SealedRow::WorkspaceClient { workspace: member.workspace, provider: key };
                self.dependencies.cipher.seal(row, &manifest.client_fields, &values).await?
            }
            (None, Some(stored)) => stored.sealed.clone(),
            (None, None) => return Err(Error::missing("client_params")),
        };
        let new = StoredClient { enabled, sealed };
        context.sql.put_workspace_client(context.entropy.uuid_v4()?, member.workspace, key, &new).await?;
        audit_client(Some(member), key, if enabled { "enabled" } else { "disabled" });
        Ok(())
    }

    /// Deletes the workspace's own client.
    pub async fn delete_client(&self, member: CurrentMember, key: &ProviderKey) -> Result<()> {
        member.require_admin()?;
        if self.dependencies.context.sql.delete_workspace_client(member.workspace, key).await? {
            audit_client(Some(member), key, "deleted");
        }
        Ok(())
    }

    /// Stores the instance's client. For operators.
    pub async fn put_system_client(&self, key: &ProviderKey, params: &CredentialValues) -> Result<()> {
        let manifest = self.oauth_provider(key).await?;
        let context = &self.dependencies.context;
        let values = CredentialValues::entered(&manifest.client_fields, params, None)?;
        let row = SealedRow::SystemClient { provider: key };
        let sealed = self.dependencies.cipher.seal(row, &manifest.client_fields, &values).await?;
        context.sql.put_system_client(context.entropy.uuid_v4()?, key, &sealed).await?;
        audit_client(None, key, "enabled");
        Ok(())
    }

    /// The client that a workspace uses: its own one if it is enabled, else that of the instance; `None` without both.
    pub(super) async fn find_client(
        &self,
        workspace: WorkspaceId,
        key: &ProviderKey,
        manifest: &Arc<ProviderManifest>,
    ) -> Result<Option<ProviderClient>> {
        let values = self.find_client_values(workspace, key, manifest).await?;
        Ok(values.map(|values| ProviderClient {
            workspace,
            key: key.clone(),
            manifest: Arc::clone(manifest),
            values,
            redirect_uri: self.redirect_uri(key),
        }))
    }

    async fn find_client_values(
        &self,
        workspace: WorkspaceId,
        key: &ProviderKey,
        manifest: &ProviderManifest,
    ) -> Result<Option<CredentialValues>> {
        let sql = &self.dependencies.context.sql;
        if let Some(stored) = sql.find_workspace_client(workspace, key).await?
            && stored.enabled
        {
            return self.open_client(workspace, key, manifest, &stored).await.map(Some);
        }
        let Some(sealed) = sql.find_system_client(key).await? else { return Ok(None) };
        let row = SealedRow::SystemClient { provider: key };
        let opened = self.dependencies.cipher.open(row, &manifest.client_fields, &sealed).await?;
        Ok(Some(opened.values))
    }

    /// Fails with `oauth_client_missing` without a client.
    pub(super) async fn client(
        &self,
        workspace: WorkspaceId,
        key: &ProviderKey,
        manifest: &Arc<ProviderManifest>,
    ) -> Result<ProviderClient> {
        let found = self.find_client(workspace, key, manifest).await?;
        found.ok_or_else(|| client_missing(&self.redirect_uri(key)))
    }

    /// The provider, unless it has no OAuth.
    pub(super) async fn oauth_provider(&self, key: &ProviderKey) -> Result<Arc<ProviderManifest>> {
        let manifest = self.provider(key).await?;
        if manifest.supports_oauth() {
            Ok(manifest)
        } else {
            Err(Error::new(Code::InvalidRequest, "This provider has no OAuth; add an API key instead."))
        }
    }

    async fn open_client(
        &self,
        workspace: WorkspaceId,
        key: &ProviderKey,
        manifest: &ProviderManifest,
        stored: &StoredClient,
    ) -> Result<CredentialValues> {
        let row = SealedRow::WorkspaceClient { workspace, provider: key };
        Ok(self.dependencies.cipher.open(row, &manifest.client_fields, &stored.sealed).await?.values)
    }
}

fn audit_client(member: Option<CurrentMember>, key: &ProviderKey, state: &'static str) {
    ConnectionEvent::ClientConfigured {
        provider: key,
        workspace_id: member.map(|member| member.workspace),
        account_id: member.map(|member| member.account),
        state,
    }
    .record();
}
