//! Uploads into the file store: contents first, then the row. A file without a row is removed.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use opendal::Writer;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::FileStore;
use crate::{
    domain::{Error, Result, file::uploaded::UploadedFile},
    ports::file_uploads::{FileUploads, FinishedUpload, NewFile, PendingUpload},
    store::sql::SqlStore,
};

/// What an upload takes besides the parts that wait to be written, in bytes.
const BASE_BYTES: usize = 128 << 10;
/// Dify's folder of uploads.
const FOLDER: &str = "upload_files";

/// Uploads of a standalone server.
pub(crate) struct StoredUploads {
    sql: Arc<SqlStore>,
    files: FileStore,
    /// Tracks the removal of unfinished uploads.
    tasks: TaskTracker,
}

impl StoredUploads {
    pub(crate) fn new(sql: Arc<SqlStore>, files: FileStore, tasks: TaskTracker) -> Self {
        Self { sql, files, tasks }
    }
}

#[async_trait]
impl FileUploads for StoredUploads {
    fn memory_bytes(&self) -> usize {
        // One part is collected while another is written.
        BASE_BYTES + 2 * self.files.part_bytes()
    }

    async fn begin(&self, file: NewFile) -> Result<Box<dyn PendingUpload>> {
        let key = key(&file);
        let writer = self.files.writer(&key).await?;
        let (files, tasks) = (self.files.clone(), self.tasks.clone());
        let contents = Contents { files, key, writer: Some(writer), is_kept: false, tasks };
        Ok(Box::new(StoredUpload { sql: Arc::clone(&self.sql), contents, file, size: 0 }))
    }
}

/// The key has no part of the name but its extension, which is made of letters and digits.
fn key(file: &NewFile) -> String {
    let (workspace, id, extension) = (file.app.workspace_id, file.id, file.name.extension());
    let dot = if extension.is_empty() { "" } else { "." };
    format!("{FOLDER}/{workspace}/{id}{dot}{extension}")
}

struct StoredUpload {
    sql: Arc<SqlStore>,
    contents: Contents,
    file: NewFile,
    /// In bytes.
    size: u64,
}

#[async_trait]
impl PendingUpload for StoredUpload {
    async fn write(&mut self, part: Bytes) -> Result<()> {
        self.size += part.len() as u64;
        self.contents.write(part).await
    }

    async fn finish(mut self: Box<Self>) -> Result<FinishedUpload> {
        self.contents.close().await?;
        let NewFile { id, app, owner, end_user, name, media_type, created_at, .. } = &self.file;
        let file = UploadedFile {
            id: *id,
            workspace_id: app.workspace_id,
            storage_type: self.contents.files.storage_type().to_owned(),
            key: self.contents.key.clone(),
            name: name.as_str().to_owned(),
            size: self.size,
            extension: name.extension().to_owned(),
            media_type: media_type.clone(),
            owner: *owner,
            created_at: *created_at,
        };
        self.sql.insert_file(&file, end_user.as_ref()).await?;
        self.contents.is_kept = true;
        Ok(FinishedUpload { file, preview_url: None })
    }
}

/// The contents of an upload. Removes them when it is dropped, unless they are kept.
struct Contents {
    files: FileStore,
    key: String,
    /// `None` once it is closed.
    writer: Option<Writer>,
    is_kept: bool,
    tasks: TaskTracker,
}

impl Contents {
    async fn write(&mut self, part: Bytes) -> Result<()> {
        let writer = self.writer.as_mut().ok_or_else(|| Error::internal("a write to a closed file"))?;
        writer.write(part).await.map_err(Error::unavailable)
    }

    async fn close(&mut self) -> Result<()> {
        let writer = self.writer.as_mut().ok_or_else(|| Error::internal("a file that is closed twice"))?;
        writer.close().await.map_err(Error::unavailable)?;
        self.writer = None;
        Ok(())
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let (files, key, writer) = (self.files.clone(), std::mem::take(&mut self.key), self.writer.take());
        let Ok(runtime) = Handle::try_current() else { return };
        let removal = async move {
            let removed = match writer {
                Some(mut writer) => writer.abort().await.map_err(Error::unavailable),
                None => files.delete(&key).await,
            };
            if let Err(error) = removed {
                tracing::warn!(error = ?error, "an unfinished upload was not removed");
            }
        };
        self.tasks.spawn_on(removal.in_current_span(), &runtime);
    }
}
