//! The contents of files: in a directory, or in a service that speaks S3's protocol.

mod s3;
pub(crate) mod uploads;

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use opendal::{ErrorKind, Operator, Writer, services::Fs};
use parking_lot::Mutex;
use tokio::task::spawn_blocking;
use uuid::Uuid;
use zeroize::Zeroizing;

pub(crate) use self::s3::S3Settings;
use crate::domain::{Error, Result};

/// The part of a file that is read at a time, in bytes.
const READ_BYTES: usize = 256 << 10;
/// The part of a file that is written at a time to a directory, in bytes.
const FILE_PART_BYTES: usize = 256 << 10;
/// The part that is sent at a time to S3, whose least is 5 MiB.
const S3_PART_BYTES: usize = 5 << 20;
/// Length of the file that a check writes: a block of common file systems.
const CHECK_BYTES: usize = 4 << 10;
/// Unfinished files, below the directory. They are renamed when they are complete.
const UNFINISHED: &str = "unfinished";

/// Where contents are stored.
#[derive(Clone, Debug)]
pub(crate) enum FileLocation {
    Directory {
        path: PathBuf,
        /// Whether no other process writes there, so that what a crash left can be removed.
        exclusive: bool,
    },
    S3(Box<S3Settings>),
}

/// The contents of files, by key. Clones share the store.
#[derive(Clone, Debug)]
pub struct FileStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    location: FileLocation,
    /// Whether the store is another program's: nothing is created or removed.
    read_only: bool,
    /// Made by the first use, which creates the directory.
    operator: OnceLock<Operator>,
    /// Held by the first use. A second one would remove what others have begun to write.
    opening: Mutex<()>,
    /// The name of the file of checks. Ids of processes would not do: replicas in containers often have the same one.
    check_name: String,
    /// Held by a check, because a second one would remove its file.
    checking: tokio::sync::Mutex<()>,
}

impl FileStore {
    /// Memory of a file that is being read, in bytes.
    pub(crate) const READ_MEMORY: usize = 2 * READ_BYTES;

    pub(crate) fn new(location: FileLocation) -> Self {
        Self::with(location, false)
    }

    /// A store of another program, which may be mounted read-only.
    pub(crate) fn read_only(location: FileLocation) -> Self {
        Self::with(location, true)
    }

    fn with(location: FileLocation, read_only: bool) -> Self {
        Self(Arc::new(Shared {
            location,
            read_only,
            operator: OnceLock::new(),
            opening: Mutex::new(()),
            check_name: format!("{UNFINISHED}/.writable-{}", Uuid::new_v4()),
            checking: tokio::sync::Mutex::new(()),
        }))
    }

    /// Dify's name of the kind of store.
    pub(crate) fn storage_type(&self) -> &'static str {
        match self.0.location {
            FileLocation::Directory { .. } => "opendal",
            FileLocation::S3(_) => "s3",
        }
    }

    /// The part that is written at a time, in bytes.
    fn part_bytes(&self) -> usize {
        match self.0.location {
            FileLocation::Directory { .. } => FILE_PART_BYTES,
            FileLocation::S3(_) => S3_PART_BYTES,
        }
    }

    /// The contents of a file of `size` bytes as a stream; `None` when there is no such file.
    pub(crate) async fn read(
        &self,
        key: &str,
        size: u64,
    ) -> Result<Option<impl Stream<Item = Result<Bytes>> + Send + use<>>> {
        let operator = self.operator().await?;
        let reader = operator.reader_with(key).chunk(READ_BYTES).concurrent(1).await.map_err(Error::unavailable)?;
        let mut contents = reader.into_bytes_stream(0..size).await.map_err(Error::unavailable)?;
        // The first part shows whether there is such a file.
        let first = match contents.try_next().await {
            Ok(first) => first,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(Error::unavailable(cause)),
        };
        Ok(Some(stream::iter(first.map(Ok)).chain(contents.map_err(Error::unavailable))))
    }

    /// The contents of a small file; `None` when there is no such file. Fails with `service_unavailable` for one of
    /// more than `max` bytes.
    pub(crate) async fn read_whole(&self, key: &str, max: u64) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let operator = self.operator().await?;
        let part = match operator.stat(key).await {
            Ok(found) if found.content_length() > max => return Err(Error::unavailable("a file is too long")),
            Ok(found) => 0..found.content_length(),
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(Error::unavailable(cause)),
        };
        let contents = operator.read_with(key).range(part).await.map_err(Error::unavailable)?;
        Ok(Some(Zeroizing::new(contents.to_vec())))
    }

    /// Begins a file, which exists once its writer is closed.
    async fn writer(&self, key: &str) -> Result<Writer> {
        let operator = self.operator().await?;
        operator.writer_with(key).chunk(self.part_bytes()).concurrent(1).await.map_err(Error::unavailable)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.operator().await?.delete(key).await.map_err(Error::unavailable)
    }

    /// Writes and removes a small file. Fails when the directory is read-only or full. A bucket is not written to.
    pub(crate) async fn check_writable(&self) -> Result<()> {
        if self.0.read_only || matches!(self.0.location, FileLocation::S3(_)) {
            return Ok(());
        }
        let (operator, name) = (self.operator().await?, &self.0.check_name);
        let _checking = self.0.checking.lock().await;
        operator.write(name, vec![0; CHECK_BYTES]).await.map_err(Error::unavailable)?;
        operator.delete(name).await.map_err(Error::unavailable)
    }

    async fn operator(&self) -> Result<Operator> {
        if let Some(operator) = self.0.operator.get() {
            return Ok(operator.clone());
        }
        let shared = Arc::clone(&self.0);
        spawn_blocking(move || shared.open()).await.map_err(Error::internal)?
    }
}

impl Shared {
    /// Blocks on the file system.
    fn open(&self) -> Result<Operator> {
        let _opening = self.opening.lock();
        if let Some(operator) = self.operator.get() {
            return Ok(operator.clone());
        }
        let operator = match &self.location {
            FileLocation::Directory { path, .. } if self.read_only => existing_directory(path)?,
            FileLocation::Directory { path, exclusive } => directory(path, *exclusive)?,
            FileLocation::S3(settings) => settings.operator()?,
        };
        Ok(self.operator.get_or_init(|| operator).clone())
    }
}

fn directory(path: &Path, exclusive: bool) -> Result<Operator> {
    if path.as_os_str().is_empty() {
        return Err(Error::unavailable("there is no directory for files; set OPENDAL_FS_ROOT"));
    }
    let unfinished = path.join(UNFINISHED);
    if exclusive && unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(Error::unavailable)?;
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&unfinished).map_err(Error::unavailable)?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let files = Fs::default().root(&text(path)).atomic_write_dir(&text(&unfinished));
    Operator::new(files).map_err(Error::unavailable)
}

fn existing_directory(path: &Path) -> Result<Operator> {
    if !path.is_dir() {
        return Err(Error::unavailable(format!("{} is not a directory; set OPENDAL_FS_ROOT", path.display())));
    }
    Operator::new(Fs::default().root(&path.to_string_lossy())).map_err(Error::unavailable)
}

#[cfg(test)]
mod tests;
