//! A file that was uploaded: a row of `upload_files`.

use chrono::{DateTime, Utc};

use super::kind::FileKind;
use crate::domain::id::{AccountId, EndUserId, FileId, WorkspaceId};

/// The uploader of a file, who alone may give it to runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileOwner {
    Account(AccountId),
    /// An external identity as a user of one app.
    EndUser(EndUserId),
}

/// By what the files of a caller are found.
#[derive(Clone, Debug)]
pub enum Uploader {
    Owner(FileOwner),
    /// The user's name in requests to Dify's service API. Dify writes its own row of the user.
    Forwarded(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedFile {
    pub id: FileId,
    pub workspace_id: WorkspaceId,
    /// The kind of the store, such as `opendal` or `s3`.
    pub storage_type: String,
    /// The key in the store.
    pub key: String,
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// In lower case, without its dot; may be empty.
    pub extension: String,
    pub media_type: String,
    pub owner: FileOwner,
    pub created_at: DateTime<Utc>,
}

impl UploadedFile {
    pub fn kind(&self) -> FileKind {
        FileKind::of(&self.extension, &self.media_type)
    }
}
