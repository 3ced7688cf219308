//! Files: uploads, and the signed addresses at which their contents are served (contract C2).

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use chrono::TimeDelta;
use futures_util::{Stream, StreamExt as _};

use super::{
    app::{
        Apps,
        run_files::{FileForm, KnownFile, RunFiles},
    },
    context::ServiceContext,
    file_owner::file_owner,
    rate_limiter::RateLimiter,
    run::run_owner::user_name,
    uncancelled::run_uncancelled,
};
use crate::{
    domain::{
        Code, Error, Result,
        app::App,
        caller::Caller,
        file::{
            content_type::{HEAD_BYTES, media_type},
            limits::UploadLimits,
            name::FileName,
            uploaded::{UploadedFile, Uploader},
        },
        id::FileId,
        key::KeyRing,
        limit::{LimitDecision, LimitName},
    },
    memory::{MemoryKind, MemoryLedger, MemoryPermit, Owner},
    ports::file_uploads::{FileUploads, FinishedUpload, NewFile},
    store::files::FileStore,
    telemetry::audit::apps::AppEvent,
};

/// The path below which contents are served.
pub(crate) const PREVIEW_PATH: &str = "/openapi/v1/files/{id}/preview";

#[derive(Clone, Debug)]
pub struct FileSettings {
    pub limits: UploadLimits,
    /// The URL of the API, without a slash at its end.
    pub api_url: String,
    /// How long an address of contents is valid.
    pub preview_lifetime: TimeDelta,
}

/// What a client says about a file.
#[derive(Clone, Debug, Default)]
pub struct FileHead {
    pub name: String,
    pub media_type: Option<String>,
}

/// Where uploads go and where contents are read.
pub struct FileBackend {
    pub uploads: Arc<dyn FileUploads>,
    /// `None` beside Dify, which serves the contents itself.
    pub store: Option<FileStore>,
}

#[derive(Clone)]
pub struct Files {
    context: ServiceContext,
    apps: Apps,
    backend: Arc<FileBackend>,
    keys: Arc<KeyRing>,
    memory: MemoryLedger,
    rate_limiter: RateLimiter,
    settings: Arc<FileSettings>,
}

/// What the use cases of files need.
pub struct FileDependencies {
    pub context: ServiceContext,
    pub apps: Apps,
    pub backend: FileBackend,
    pub keys: Arc<KeyRing>,
    pub memory: MemoryLedger,
    pub rate_limiter: RateLimiter,
    pub settings: FileSettings,
}

/// An app to which the caller may upload, and the memory of one upload at a time.
#[derive(Clone)]
pub struct UploadTarget {
    app: App,
    caller: Caller,
    _memory: Arc<MemoryPermit>,
}

/// A file whose contents may be served.
pub(crate) struct PreviewedFile<S> {
    pub file: UploadedFile,
    pub contents: S,
}

impl Files {
    pub fn new(dependencies: FileDependencies) -> Self {
        let FileDependencies { context, apps, backend, keys, memory, rate_limiter, settings } = dependencies;
        Self { context, apps, backend: Arc::new(backend), keys, memory, rate_limiter, settings: Arc::new(settings) }
    }

    /// The store of contents; `None` beside Dify, which has its own.
    pub(crate) fn store(&self) -> Option<&FileStore> {
        self.backend.store.as_ref()
    }

    pub fn limits(&self) -> &UploadLimits {
        &self.settings.limits
    }

    /// Reserves the memory of one upload, of which `door_bytes` belong to the door. Fails with `rate_limited` when the
    /// caller's other uploads use its share.
    pub(crate) fn reserve(&self, caller: &Caller, door_bytes: usize) -> Result<MemoryPermit> {
        let bytes = door_bytes + self.backend.uploads.memory_bytes();
        Ok(self.memory.reserve_for(Owner::of_subject(&caller.token.subject), MemoryKind::Files, bytes)?)
    }

    /// Admits an upload before its contents are read. Fails as `Apps::find_used` does.
    pub(crate) async fn admit(&self, caller: &Caller, app_id: &str, memory: MemoryPermit) -> Result<UploadTarget> {
        let app = self.apps.find_used(caller, app_id).await?;
        Ok(UploadTarget { app, caller: caller.clone(), _memory: Arc::new(memory) })
    }

    /// Charges the limit of uploads. The policies of runs do not name it, because most runs upload nothing.
    pub(crate) async fn charge(&self, target: &UploadTarget) -> Result<()> {
        let bucket = self.rate_limiter.bucket(LimitName::Upload, target.caller.token.subject.limit_key());
        match self.rate_limiter.charge_with_fallback(&[bucket]).await?.0 {
            LimitDecision::Allowed => Ok(()),
            LimitDecision::Limited(retry_after) => Err(self.rate_limiter.limited(LimitName::Upload, retry_after)),
        }
    }

    /// Stores a file part by part.
    ///
    /// Fails with `filename_not_exists`, `invalid_request` for a path, `file_extension_blocked`, `file_too_large`,
    /// `unsupported_file_type`. Then nothing is stored.
    pub async fn upload<S>(&self, target: UploadTarget, head: FileHead, contents: S) -> Result<FinishedUpload>
    where
        S: Stream<Item = Result<Bytes>> + Send,
    {
        let name = FileName::parse(&head.name)?;
        if self.settings.limits.blocked_extensions.contains(name.extension()) {
            let message = format!("Files with the extension .{} are not accepted here.", name.extension());
            return Err(Error::new(Code::FileExtensionBlocked, message));
        }
        let mut contents = std::pin::pin!(contents.fuse());
        let mut size = SizeLimit { left: self.settings.limits.of_extension(name.extension()) };
        let mut first = BytesMut::new();
        while first.len() < HEAD_BYTES {
            let Some(part) = contents.next().await else { break };
            first.extend_from_slice(&size.admit(part?)?);
        }
        let beginning = first.get(..HEAD_BYTES).unwrap_or(&first);
        let media_type = media_type(&name, beginning, head.media_type.as_deref())?;
        let mut upload = self.backend.uploads.begin(self.new_file(&target, name, media_type)?).await?;
        if !first.is_empty() {
            upload.write(first.freeze()).await?;
        }
        while let Some(part) = contents.next().await {
            upload.write(size.admit(part?)?).await?;
        }
        // A client that leaves now leaves neither a file without a row nor an upload without its audit event.
        run_uncancelled(async move {
            let finished = upload.finish().await?;
            AppEvent::FileUploaded {
                file_id: finished.file.id,
                app_id: target.app.id,
                tenant_id: target.app.workspace_id,
                subject: &target.caller.token.subject,
                token_id: target.caller.token.token_id,
            }
            .record();
            Ok(finished)
        })
        .await
    }

    fn new_file(&self, target: &UploadTarget, name: FileName, media_type: String) -> Result<NewFile> {
        let subject = &target.caller.token.subject;
        let (owner, end_user) = file_owner(subject, &target.app);
        Ok(NewFile {
            id: FileId(self.context.entropy.uuid_v4()?),
            app: target.app.clone(),
            owner,
            user: user_name(subject),
            end_user,
            name,
            media_type,
            created_at: self.context.clock.now(),
        })
    }

    /// The uploads among these that belong to the caller, as a run of the app uses them.
    pub(super) async fn of_run(&self, caller: &Caller, app: &App, ids: &[FileId]) -> Result<RunFiles> {
        let subject = &caller.token.subject;
        let (form, uploader) = if self.backend.store.is_some() {
            (FileForm::Resolved, Uploader::Owner(file_owner(subject, app).0))
        } else {
            (FileForm::Forwarded, Uploader::Forwarded(user_name(subject)))
        };
        let found = self.context.sql.find_files(ids, app.workspace_id, &uploader).await?;
        let known = found.into_iter().map(|file| (file.id, KnownFile { url: self.preview_url(&file), file })).collect();
        Ok(RunFiles { form, max_files: u64::from(self.settings.limits.run_files), known })
    }

    /// The address at which the contents are served for a while without a credential. `None` beside Dify.
    pub fn preview_url(&self, file: &UploadedFile) -> Option<String> {
        self.backend.store.as_ref()?;
        let expires = (self.context.clock.now() + self.settings.preview_lifetime).timestamp();
        let path = PREVIEW_PATH.replace("{id}", &file.id.to_string());
        let signature = self.keys.file_preview_signature(file.id, expires);
        Some(format!("{}{path}?expires={expires}&signature={signature}", self.settings.api_url))
    }

    /// The contents of a file at a signed address, with memory of `reader`. Fails with `not_found` for any other
    /// address.
    pub(crate) async fn open_preview(
        &self,
        id: &str,
        expires: i64,
        signature: &str,
        reader: Owner,
    ) -> Result<PreviewedFile<impl Stream<Item = Result<Bytes>> + Send + use<>>> {
        let invalid = || Error::not_found("This link is not valid or has expired.");
        let id: FileId = id.parse().map_err(|_| invalid())?;
        let is_signed = self.keys.accepts_file_preview(id, expires, signature);
        if !is_signed || expires <= self.context.clock.now().timestamp() {
            return Err(invalid());
        }
        let store = self.backend.store.as_ref().ok_or_else(invalid)?;
        let file = self.context.sql.find_file(id).await?.ok_or_else(invalid)?;
        let memory = self.memory.reserve_for(reader, MemoryKind::Files, FileStore::READ_MEMORY)?;
        let contents = store.read(&file.key, file.size).await?.ok_or_else(invalid)?;
        // The memory is held until the stream ends.
        let contents = contents.inspect(move |_| _ = &memory);
        Ok(PreviewedFile { file, contents })
    }
}

/// Counts the parts of a file.
struct SizeLimit {
    /// In bytes.
    left: u64,
}

impl SizeLimit {
    fn admit(&mut self, part: Bytes) -> Result<Bytes> {
        let left = self.left.checked_sub(part.len() as u64);
        self.left = left.ok_or_else(|| Error::new(Code::FileTooLarge, "The file is larger than its type may be."))?;
        Ok(part)
    }
}
