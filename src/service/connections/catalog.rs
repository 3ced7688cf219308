//! The known providers: presets of the binary, and manifests that operators have imported in their place or besides.

use std::{collections::BTreeMap, sync::Arc};

use super::{Connections, error::unknown_provider};
use crate::domain::{
    Result,
    connection::{
        credential::CredentialType, field::CredentialField, manifest::ProviderManifest, provider_key::ProviderKey,
    },
};

impl Connections {
    /// Every provider by key.
    pub async fn providers(&self) -> Result<BTreeMap<ProviderKey, ProviderManifest>> {
        let mut providers = self.dependencies.presets.clone();
        providers.extend(self.dependencies.context.sql.list_imported_providers().await?);
        Ok(providers)
    }

    /// The fields of a kind of credentials.
    pub async fn credential_fields(&self, key: &ProviderKey, kind: CredentialType) -> Result<Vec<CredentialField>> {
        let manifest = self.provider(key).await?;
        Ok(match kind {
            CredentialType::ApiKey => manifest.api_key_fields.clone(),
            CredentialType::OAuth => manifest.oauth_fields.clone(),
        })
    }

    /// The manifest of a provider, which may be as old as 30 seconds. Fails with `not_found` for an unknown
    /// provider.
    pub(super) async fn provider(&self, key: &ProviderKey) -> Result<Arc<ProviderManifest>> {
        let context = &self.dependencies.context;
        let load = || async {
            let imported = context.sql.find_imported_provider(key).await?;
            let manifest = imported.or_else(|| self.dependencies.presets.get(key).cloned());
            manifest.map(Arc::new).ok_or_else(unknown_provider)
        };
        self.manifests.get_or_try_load(key, context.clock.now(), load).await
    }
}
