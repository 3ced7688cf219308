//! Chooses the backend of a provider: its manifest's `oauth` block, or its plugin where a plugin daemon is configured.

use async_trait::async_trait;
use url::Url;

use super::{declarative::DeclarativeBackend, plugin_daemon::backend::PluginDaemonBackend};
use crate::{
    domain::{
        connection::{manifest::ProviderManifest, values::CredentialValues},
        secret::Secret,
    },
    ports::connection_backend::{
        AuthorizationCallback, BackendCall, BackendError, ConnectionBackend, IssuedCredentials,
    },
};

/// Longest code of a provider in bytes.
const MAX_CODE: usize = 4 * 1024;

/// The backends of this deployment.
pub(crate) struct Backends {
    pub declarative: DeclarativeBackend,
    pub plugin_daemon: Option<PluginDaemonBackend>,
}

impl Backends {
    fn of(&self, manifest: &ProviderManifest) -> &dyn ConnectionBackend {
        match &self.plugin_daemon {
            Some(daemon) if manifest.oauth.is_none() => daemon,
            _ => &self.declarative,
        }
    }
}

#[async_trait]
impl ConnectionBackend for Backends {
    async fn authorization_url(
        &self,
        call: BackendCall<'_>,
        state: &str,
        code_verifier: &Secret,
    ) -> Result<Url, BackendError> {
        self.of(call.manifest).authorization_url(call, state, code_verifier).await
    }

    async fn exchange(
        &self,
        call: BackendCall<'_>,
        callback: AuthorizationCallback<'_>,
    ) -> Result<IssuedCredentials, BackendError> {
        let code = callback.code.expose();
        if code.is_empty() || code.len() > MAX_CODE {
            return Err(BackendError::InvalidAnswer("the authorization code is empty or too long"));
        }
        self.of(call.manifest).exchange(call, callback).await
    }

    async fn refresh(
        &self,
        call: BackendCall<'_>,
        values: &CredentialValues,
    ) -> Result<IssuedCredentials, BackendError> {
        self.of(call.manifest).refresh(call, values).await
    }

    fn can_refresh(&self, manifest: &ProviderManifest, values: &CredentialValues) -> bool {
        self.of(manifest).can_refresh(manifest, values)
    }

    async fn revoke(&self, call: BackendCall<'_>, values: &CredentialValues) -> Result<(), BackendError> {
        self.of(call.manifest).revoke(call, values).await
    }
}
