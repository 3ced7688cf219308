//! Uploads, forwarded to Dify's service API while they arrive.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use futures_util::{Stream, stream};
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use reqwest::{Body, Method, StatusCode};
use serde::Deserialize;
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

use super::{
    DifyClient, DifyRuntime,
    error_response::{ErrorResponse, upstream_error},
    timed_out,
};
use crate::{
    domain::{
        Code, Error, Result,
        file::{
            limits::UPLOAD_TIMEOUT,
            uploaded::{FileOwner, UploadedFile},
        },
        id::{AppId, FileId},
        secret::Secret,
    },
    http_client::read_body,
    memory::Owner,
    ports::file_uploads::{FileUploads, FinishedUpload, NewFile, PendingUpload},
    telemetry::carry::carry,
};

/// Parts that wait for the connection.
const PARTS_AHEAD: usize = 2;
/// Memory of an upload: its parts that wait, and what the connection has not sent, in bytes.
const UPLOAD_BYTES: usize = 512 << 10;
/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// The next part of the body, or its end. A sender that is dropped before the end aborts the request.
enum Piece {
    Part(Bytes),
    End,
}

#[derive(Debug, thiserror::Error)]
#[error("the upload was given up")]
struct GivenUpError;

#[async_trait]
impl FileUploads for DifyRuntime {
    fn memory_bytes(&self) -> usize {
        UPLOAD_BYTES
    }

    async fn begin(&self, file: NewFile) -> Result<Box<dyn PendingUpload>> {
        let connection = self.api.take_connection_for(file.app.workspace_id, Owner::of(&file.user))?;
        let key = self.api.keys.get(&file.app).await?;
        let (pieces, body) = mpsc::channel(PARTS_AHEAD);
        let (mut answer_sender, answer) = oneshot::channel();
        let boundary = file.id.to_string();
        let request = UploadRequest { app: file.app.id, key, boundary: boundary.clone(), pieces: body };
        let api = Arc::clone(&self.api);
        let sending = async move {
            let _connection = connection;
            let answer = tokio::select! {
                biased;
                answer = api.send_upload(request) => answer,
                () = answer_sender.closed() => return,
                () = api.end.cancelled() => {
                    Err(Error::new(Code::ServiceUnavailable, "The server shut down during the upload. Send it again."))
                }
                () = sleep(UPLOAD_TIMEOUT) => Err(timed_out()),
            };
            // The upload was given up when this fails.
            _ = answer_sender.send(answer);
        };
        self.tasks.spawn(carry(sending));
        let mut upload = ForwardedUpload { pieces, answer, file, boundary, timeout: self.api.first_byte_timeout };
        let head = upload.head();
        upload.write(head).await?;
        Ok(Box::new(upload))
    }
}

struct UploadRequest {
    app: AppId,
    key: Secret,
    boundary: String,
    pieces: mpsc::Receiver<Piece>,
}

impl DifyClient {
    /// Sends an upload and returns the body of the answer.
    async fn send_upload(&self, request: UploadRequest) -> Result<Bytes> {
        let UploadRequest { app, key, boundary, pieces } = request;
        let media_type = HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}"));
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, media_type.map_err(Error::internal)?)]);
        let body = Body::wrap_stream(body_stream(pieces));
        let mut response = self.dispatch(Method::POST, self.urls.upload(), &key, headers, Some(body)).await?;
        match response.status() {
            StatusCode::CREATED | StatusCode::OK => read_body(&mut response, MAX_ANSWER).await.map_err(invalid_answer),
            status => {
                if status == StatusCode::UNAUTHORIZED {
                    // The contents are gone. The next upload gets another key.
                    self.keys.forget(app, &key);
                }
                Err(ErrorResponse::read(response).await.into_upload_error())
            }
        }
    }
}

struct ForwardedUpload {
    pieces: mpsc::Sender<Piece>,
    /// Dropping it ends the request.
    answer: oneshot::Receiver<Result<Bytes>>,
    file: NewFile,
    boundary: String,
    /// Longest time that Dify takes for a part, and from the last part to its answer.
    timeout: Duration,
}

impl ForwardedUpload {
    /// The form up to the contents. No name has a line break, because names have no control characters.
    fn head(&self) -> Bytes {
        let NewFile { name, media_type, user, .. } = &self.file;
        let name = name.as_str().replace('"', "%22");
        let boundary = &self.boundary;
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\n{user}\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: {media_type}\r\n\r\n"
        );
        head.into()
    }

    /// Sends a piece. When the request ends before, its error is that of the upload. The connection may hold the body,
    /// and with it the receiver of pieces, for longer.
    async fn send(&mut self, piece: Piece) -> Result<()> {
        let ended = async {
            tokio::select! {
                biased;
                answer = &mut self.answer => Some(answer),
                sent = self.pieces.send(piece) => if sent.is_ok() { None } else { Some((&mut self.answer).await) },
            }
        };
        match timeout(self.timeout, ended).await.map_err(|_| timed_out())? {
            None => Ok(()),
            Some(Ok(Err(error))) => Err(error),
            Some(_) => Err(upstream_error("Dify did not accept the file.")),
        }
    }
}

#[async_trait]
impl PendingUpload for ForwardedUpload {
    async fn write(&mut self, part: Bytes) -> Result<()> {
        self.send(Piece::Part(part)).await
    }

    async fn finish(mut self: Box<Self>) -> Result<FinishedUpload> {
        let tail = format!("\r\n--{}--\r\n", self.boundary);
        self.send(Piece::Part(tail.into())).await?;
        self.send(Piece::End).await?;
        let answer = timeout(self.timeout, &mut self.answer).await.map_err(|_| timed_out())?;
        let body = answer.map_err(Error::internal)??;
        let answer: UploadAnswer = serde_json::from_slice(&body).map_err(invalid_answer)?;
        answer.into_finished(&self.file)
    }
}

fn invalid_answer(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    upstream_error("Dify's answer to the upload is not valid.").with_source(cause)
}

fn body_stream(pieces: mpsc::Receiver<Piece>) -> impl Stream<Item = std::result::Result<Bytes, GivenUpError>> + Send {
    stream::unfold(Some(pieces), |open| async move {
        let mut pieces = open?;
        match pieces.recv().await {
            Some(Piece::Part(part)) => Some((Ok(part), Some(pieces))),
            Some(Piece::End) => None,
            None => Some((Err(GivenUpError), None)),
        }
    })
}

/// What Dify answers.
#[derive(Debug, Deserialize)]
struct UploadAnswer {
    id: String,
    name: String,
    size: u64,
    extension: Option<String>,
    mime_type: Option<String>,
    created_by: Option<String>,
    /// In Unix seconds.
    created_at: Option<i64>,
    #[serde(default)]
    preview_url: Option<String>,
    #[serde(default)]
    source_url: Option<String>,
}

impl UploadAnswer {
    fn into_finished(self, sent: &NewFile) -> Result<FinishedUpload> {
        let id: FileId = self.id.parse().map_err(invalid_answer)?;
        let owner = match self.created_by.map(|user| user.parse()).transpose().map_err(invalid_answer)? {
            Some(user) => FileOwner::EndUser(user),
            None => sent.owner,
        };
        let created_at = self.created_at.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let file = UploadedFile {
            id,
            workspace_id: sent.app.workspace_id,
            // Dify alone reads the contents.
            storage_type: String::new(),
            key: String::new(),
            name: self.name,
            size: self.size,
            extension: self.extension.unwrap_or_else(|| sent.name.extension().to_owned()),
            media_type: self.mime_type.unwrap_or_else(|| sent.media_type.clone()),
            owner,
            created_at: created_at.unwrap_or(sent.created_at),
        };
        let given = |url: Option<String>| url.filter(|url| !url.is_empty());
        Ok(FinishedUpload { file, preview_url: given(self.preview_url).or_else(|| given(self.source_url)) })
    }
}
