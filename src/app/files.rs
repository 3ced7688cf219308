//! Builds the store of files.

use std::{sync::Arc, time::Duration};

use tokio_util::task::TaskTracker;

use crate::{
    config::{
        Config,
        files::{FileStorage, S3Bucket},
    },
    http_client::HttpClients,
    service::{context::ServiceContext, file::FileBackend},
    store::files::{FileLocation, FileStore, S3Settings, uploads::StoredUploads},
};

/// Longest time of a request to S3: 5 MiB on a slow line.
const S3_REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// The store of a standalone server.
pub(super) fn store(config: &Config, clients: &HttpClients) -> FileStore {
    FileStore::new(location(config, clients))
}

/// Dify's storage, to be read only.
pub(super) fn dify_storage(config: &Config, clients: &HttpClients) -> FileStore {
    FileStore::read_only(location(config, clients))
}

/// The backend of a standalone server. `tasks` tracks the removal of unfinished uploads.
pub(super) fn stored(context: &ServiceContext, store: FileStore, tasks: TaskTracker) -> FileBackend {
    let uploads = Arc::new(StoredUploads::new(Arc::clone(&context.sql), store.clone(), tasks));
    FileBackend { uploads, store: Some(store) }
}

fn location(config: &Config, clients: &HttpClients) -> FileLocation {
    match &config.files.storage {
        FileStorage::Directory(path) => {
            let exclusive = config.uses_data_dir() && path.starts_with(&config.data_dir);
            FileLocation::Directory { path: path.clone(), exclusive }
        }
        FileStorage::S3(bucket) => {
            let S3Bucket { endpoint, region, name, access_key, secret_key, virtual_host } = bucket.clone();
            let request_timeout = S3_REQUEST_TIMEOUT;
            FileLocation::S3(Box::new(S3Settings {
                endpoint,
                region,
                bucket: name,
                access_key,
                secret_key,
                virtual_host,
                request_timeout,
                clients: clients.clone(),
            }))
        }
    }
}
