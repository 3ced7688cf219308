//! The RSA key pairs of workspaces: the public key is in Dify's table of workspaces, the private key in Dify's storage.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use rsa::{
    PrivateKey, PublicKey,
    pkcs1::{DecodeRsaPrivateKey as _, DecodeRsaPublicKey as _},
    pkcs8::{DecodePrivateKey as _, DecodePublicKey as _},
};
use tokio::{task::spawn_blocking, time::timeout};
use zeroize::Zeroizing;

use crate::{
    domain::{Code, Error, Result, id::WorkspaceId, secret::Secret},
    expiring_cache::ExpiringCache,
    ports::clock::Clock,
    store::{files::FileStore, sql::SqlStore},
};

/// Longest time of reading a private key from the storage. The lease of a refresh lasts longer.
const READ_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest private key in bytes.
const MAX_PRIVATE_KEY: u64 = 16 * 1024;
/// How long a private key is kept in memory, as in Dify.
const KEY_LIFETIME: TimeDelta = TimeDelta::minutes(2);
/// Most private keys in memory.
const MAX_CACHED: usize = 256;

/// Reads the key pairs.
pub(crate) struct WorkspaceKeys {
    sql: Arc<SqlStore>,
    storage: FileStore,
    clock: Arc<dyn Clock>,
    cached: ExpiringCache<WorkspaceId, Arc<PrivateKey>>,
}

impl WorkspaceKeys {
    /// `storage` is Dify's, to be read only.
    pub(crate) fn new(sql: Arc<SqlStore>, storage: FileStore, clock: Arc<dyn Clock>) -> Self {
        let cached = ExpiringCache::new(KEY_LIFETIME, MAX_CACHED);
        Self { sql, storage, clock, cached }
    }

    /// The key that encrypts the secrets of a workspace.
    pub(super) async fn public(&self, workspace: WorkspaceId) -> Result<PublicKey> {
        let pem = self.sql.find_workspace_public_key(workspace).await?;
        let pem = pem.ok_or_else(|| unusable(workspace, "has no public key in Dify's table `tenants`"))?;
        PublicKey::from_public_key_pem(&pem)
            .ok()
            .or_else(|| PublicKey::from_pkcs1_pem(&pem).ok())
            .ok_or_else(|| unusable(workspace, "has a public key that cannot be read"))
    }

    /// The key that decrypts them.
    pub(super) async fn private(&self, workspace: WorkspaceId) -> Result<Arc<PrivateKey>> {
        self.cached.get_or_try_load(&workspace, self.clock.now(), || self.load_private(workspace)).await
    }

    async fn load_private(&self, workspace: WorkspaceId) -> Result<Arc<PrivateKey>> {
        let file = format!("privkeys/{workspace}/private.pem");
        let bytes = read_within(READ_TIMEOUT, &self.storage, &file).await?.ok_or_else(|| {
            unusable(workspace, "has no private key in Dify's storage")
                .with_hint(format!("Give this service read access to `{file}` of Dify's storage (`OPENDAL_FS_ROOT`)."))
        })?;
        // The key is checked, which takes milliseconds of a processor.
        let parsed = spawn_blocking(move || parse_private_key(&bytes)).await.map_err(Error::internal)?;
        parsed.map(Arc::new).ok_or_else(|| unusable(workspace, "has a private key that cannot be read"))
    }
}

/// Reads a file; `None` when there is none.
async fn read_within(limit: Duration, storage: &FileStore, file: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let read = timeout(limit, storage.read_whole(file, MAX_PRIVATE_KEY)).await;
    read.map_err(|_| Error::unavailable("Dify's storage does not answer in time"))?
}

fn parse_private_key(bytes: &[u8]) -> Option<PrivateKey> {
    let pem = Secret::new(std::str::from_utf8(bytes).ok()?);
    PrivateKey::from_pkcs1_pem(pem.expose()).ok().or_else(|| PrivateKey::from_pkcs8_pem(pem.expose()).ok())
}

fn unusable(workspace: WorkspaceId, what: &str) -> Error {
    Error::new(Code::InternalStateInvariant, format!("Workspace {workspace} {what}."))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::store::files::{FileLocation, S3Settings};

    #[tokio::test]
    async fn storage_that_does_not_answer_is_given_up() {
        // The system accepts connections; nothing reads the requests.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let storage = FileStore::read_only(FileLocation::S3(Box::new(S3Settings {
            endpoint: Some(endpoint),
            region: "auto".to_owned(),
            bucket: "dify".to_owned(),
            access_key: "key".to_owned(),
            secret_key: Secret::new("secret"),
            virtual_host: false,
            request_timeout: Duration::from_mins(1),
            clients: crate::http_client::HttpClients::default(),
        })));
        let error = read_within(Duration::from_millis(100), &storage, "privkeys/a/private.pem").await.unwrap_err();
        assert_eq!(error.code(), Code::ServiceUnavailable);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, "Dify's storage does not answer in time");
    }
}
