//! Where uploads go: into the file store standalone, to Dify's service API beside Dify.

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::{
    Result,
    app::App,
    conversation::EndUser,
    file::{
        name::FileName,
        uploaded::{FileOwner, UploadedFile},
    },
    id::FileId,
};

/// A file whose name and first bytes have been checked.
#[derive(Clone, Debug)]
pub struct NewFile {
    pub id: FileId,
    pub app: App,
    pub owner: FileOwner,
    /// The stable, opaque name of the subject in the app's data.
    pub user: String,
    /// Set for an external identity, whose row is written with the file's.
    pub end_user: Option<EndUser>,
    pub name: FileName,
    pub media_type: String,
    pub created_at: DateTime<Utc>,
}

/// A stored file.
#[derive(Clone, Debug)]
pub struct FinishedUpload {
    pub file: UploadedFile,
    /// The address of the contents, if Dify serves them.
    pub preview_url: Option<String>,
}

#[async_trait]
pub trait FileUploads: Send + Sync + 'static {
    /// Memory that one upload takes, in bytes.
    fn memory_bytes(&self) -> usize;

    /// Begins an upload. Fails with `service_unavailable`, or as Dify does.
    async fn begin(&self, file: NewFile) -> Result<Box<dyn PendingUpload>>;
}

/// An upload in progress. Dropping it discards what was written.
#[async_trait]
pub trait PendingUpload: Send {
    /// Writes the next part of the contents.
    async fn write(&mut self, part: Bytes) -> Result<()>;

    /// Completes the upload. The file exists when this returns.
    async fn finish(self: Box<Self>) -> Result<FinishedUpload>;
}
