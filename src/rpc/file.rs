//! `FileService`.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::Extensions;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::{proto, services::Rpc};
use crate::{
    domain::{
        Code, Error, Result as DomainResult,
        caller::Caller,
        file::{
            limits::{UPLOAD_TIMEOUT, UploadLimits},
            uploaded::FileOwner,
        },
    },
    memory::MemoryPermit,
    service::file::{FileHead, Files, UploadTarget},
};

/// Longest time between two messages of an upload.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(15);
/// Memory of a message, encoded and decoded, in bytes.
const MESSAGE_BYTES: usize = 2 << 20;

#[async_trait]
impl proto::file_service_server::FileService for Rpc {
    async fn upload_file(
        &self,
        request: Request<Streaming<proto::UploadFileRequest>>,
    ) -> Result<Response<proto::UploadFileResponse>, Status> {
        let (_, extensions, mut messages) = request.into_parts();
        let memory = self.reserve_upload(&extensions, MESSAGE_BYTES)?;
        let upload = async {
            let first = next_message(&mut messages).await?.unwrap_or_default();
            let target = self.admit_upload(&extensions, &first.id, memory).await?;
            let head = FileHead { name: first.name, media_type: first.mime_type };
            self.store_upload(target, head, contents(first.content, messages)).await
        };
        let uploaded = tokio::time::timeout(UPLOAD_TIMEOUT, upload).await.map_err(|_| too_slow())?;
        Ok(Response::new(uploaded?))
    }
}

impl Rpc {
    pub(crate) fn files(&self) -> &Files {
        &self.services.files
    }

    pub(crate) fn upload_limits(&self) -> &UploadLimits {
        self.services.files.limits()
    }

    /// Reserves the memory of an upload for both doors. `door_bytes` is the memory of the door.
    pub(crate) fn reserve_upload(&self, extensions: &Extensions, door_bytes: usize) -> DomainResult<MemoryPermit> {
        self.services.files.reserve(caller(extensions)?, door_bytes)
    }

    /// Admits an upload for both doors, before its content is read.
    pub(crate) async fn admit_upload(
        &self,
        extensions: &Extensions,
        app_id: &str,
        memory: MemoryPermit,
    ) -> DomainResult<UploadTarget> {
        self.services.files.admit(caller(extensions)?, app_id, memory).await
    }

    /// Charges the limit of uploads for a file of a run.
    pub(crate) async fn charge_upload(&self, target: &UploadTarget) -> DomainResult<()> {
        self.services.files.charge(target).await
    }

    /// Stores an upload for both doors.
    pub(crate) async fn store_upload(
        &self,
        target: UploadTarget,
        head: FileHead,
        contents: impl Stream<Item = DomainResult<Bytes>> + Send,
    ) -> DomainResult<proto::UploadFileResponse> {
        let uploaded = self.services.files.upload(target, head, contents).await?;
        let file = uploaded.file;
        let preview_url = uploaded.preview_url.or_else(|| self.services.files.preview_url(&file));
        let created_by = match file.owner {
            FileOwner::Account(account) => account.to_string(),
            FileOwner::EndUser(user) => user.to_string(),
        };
        Ok(proto::UploadFileResponse {
            id: file.id.to_string(),
            name: file.name,
            size: i64::try_from(file.size).unwrap_or(i64::MAX),
            extension: file.extension,
            mime_type: file.media_type,
            created_by,
            created_at: Some(file.created_at.into()),
            preview_url: preview_url.clone(),
            source_url: preview_url,
        })
    }
}

fn caller(extensions: &Extensions) -> DomainResult<&Caller> {
    extensions.get().ok_or_else(|| Error::internal("a bearer method without a caller"))
}

async fn next_message(
    messages: &mut Streaming<proto::UploadFileRequest>,
) -> DomainResult<Option<proto::UploadFileRequest>> {
    match tokio::time::timeout(MESSAGE_TIMEOUT, messages.message()).await {
        Ok(Ok(message)) => Ok(message),
        Ok(Err(status)) if status.code() == tonic::Code::OutOfRange => {
            Err(Error::new(Code::RequestEntityTooLarge, "The message is too large.")
                .with_hint("Send pieces of at most 1 MiB."))
        }
        Ok(Err(status)) => Err(Error::new(Code::InvalidRequest, "The message could not be read.").with_source(status)),
        Err(_) => Err(too_slow()),
    }
}

fn too_slow() -> Error {
    Error::new(Code::InvalidRequest, "The messages took too long to arrive.")
}

/// The pieces of the first message and of those that follow.
fn contents(
    first: Vec<u8>,
    messages: Streaming<proto::UploadFileRequest>,
) -> impl Stream<Item = DomainResult<Bytes>> + Send {
    stream::unfold((Some(first), Some(messages)), |(first, messages)| async move {
        if let Some(first) = first {
            return Some((Ok(first.into()), (None, messages)));
        }
        let mut messages = messages?;
        match next_message(&mut messages).await {
            Ok(message) => Some((Ok(message?.content.into()), (None, Some(messages)))),
            Err(error) => Some((Err(error), (None, None))),
        }
    })
}
