//! Connections (contract part 4): people and workspaces connect accounts at third-party services, and internal services
//! get current credentials.

pub(crate) mod authorization;
mod catalog;
pub(crate) mod clients;
pub(crate) mod current;
mod error;
pub(crate) mod manage;
pub(crate) mod member;
pub(crate) mod refresh;
mod refresh_ahead;
mod revocation;
mod rotation;
mod rows;
mod run_credentials;
mod shared_cache;
mod state;
mod values;

use std::{collections::BTreeMap, sync::Arc};

use chrono::TimeDelta;

use self::shared_cache::SharedCache;
use super::context::ServiceContext;
use crate::{
    domain::{
        connection::{manifest::ProviderManifest, provider_key::ProviderKey},
        key::KeyRing,
    },
    expiring_cache::ExpiringCache,
    ports::{
        connection_backend::ConnectionBackend, connection_cache::ConnectionCache, credential_cache::CredentialCache,
        credential_cipher::CredentialCipher, lease_store::LeaseStore, nonce_store::NonceStore,
    },
};

/// Where browsers and providers reach this service.
#[derive(Clone, Debug)]
pub struct ConnectionSettings {
    /// The host of the callback: `CONSOLE_API_URL`.
    pub api_url: String,
    /// The host of the pages: `CONSOLE_WEB_URL`.
    pub web_url: String,
}

/// What connections work on.
pub struct ConnectionDependencies {
    pub context: ServiceContext,
    pub keys: Arc<KeyRing>,
    pub nonces: Arc<dyn NonceStore>,
    pub leases: Arc<dyn LeaseStore>,
    pub cipher: Arc<dyn CredentialCipher>,
    /// Dify's cache of decrypted values; `None` standalone.
    pub dify_cache: Option<Arc<dyn CredentialCache>>,
    /// The cache that all replicas share; `None` beside Dify, which would not remove what it changes.
    pub cache: Option<Arc<dyn ConnectionCache>>,
    pub backend: Arc<dyn ConnectionBackend>,
    /// The providers that ship in the binary.
    pub presets: BTreeMap<ProviderKey, ProviderManifest>,
    pub settings: ConnectionSettings,
}

/// How long a manifest is used before it is read again.
const MANIFEST_LIFETIME: TimeDelta = TimeDelta::seconds(30);
/// Most manifests in memory, besides the presets.
const MAX_MANIFESTS: usize = 256;

/// The use cases of connections. Clones share everything.
#[derive(Clone)]
pub struct Connections {
    dependencies: Arc<ConnectionDependencies>,
    manifests: Arc<ExpiringCache<ProviderKey, Arc<ProviderManifest>>>,
    cache: Option<Arc<SharedCache>>,
}

impl Connections {
    pub fn new(dependencies: ConnectionDependencies) -> Self {
        let manifests = Arc::new(ExpiringCache::new(MANIFEST_LIFETIME, MAX_MANIFESTS));
        let shared = |cache: &Arc<dyn ConnectionCache>| {
            let (clock, entropy) = (&dependencies.context.clock, &dependencies.context.entropy);
            Arc::new(SharedCache::new(Arc::clone(cache), Arc::clone(clock), Arc::clone(entropy)))
        };
        let cache = dependencies.cache.as_ref().map(shared);
        Self { dependencies: Arc::new(dependencies), manifests, cache }
    }

    /// The redirect URI of a provider, as it is registered there.
    pub fn redirect_uri(&self, provider: &ProviderKey) -> String {
        format!("{}/console/api/oauth/plugin/{provider}/tool/callback", self.dependencies.settings.api_url)
    }
}
