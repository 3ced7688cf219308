//! The data directory: where it is, the lock that keeps two processes out of it, and the key `dev` keeps there.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::reader::Reader;
use crate::{domain::secret::Secret, ports::entropy::Entropy};

/// The file name of the embedded database.
pub(super) const SQLITE_FILE: &str = "dify-openapi.db";
const LOCK_FILE: &str = "lock";
const KEY_FILE: &str = "secret_key";

/// Why the data directory cannot be used: a sentence with the fix.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataDirError {
    /// Another process has it.
    #[error("the data directory {} is in use by another dify-openapi process; stop that process, or choose another directory with DATA_DIR or --data", .0.display())]
    InUse(PathBuf),
    /// The operating system refuses.
    #[error("the data directory {} cannot be used ({cause}); make it writable, or choose another directory with DATA_DIR or --data", path.display())]
    Io {
        /// Which directory.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
}

/// Where data is kept: `DATA_DIR`, else the user's data directory, when there is one.
pub(super) fn read(reader: &Reader<'_>) -> Option<PathBuf> {
    match reader.text("DATA_DIR") {
        // A relative one is taken from where the process starts.
        Some(path) => Some(std::path::absolute(&path).unwrap_or_else(|_| PathBuf::from(path))),
        None => default_dir(reader),
    }
}

/// Says that a data directory is needed.
pub(super) fn missing(reader: &mut Reader<'_>) {
    reader.problem("DATA_DIR", "is not set and there is no home directory; set it to a directory to keep data in");
}

fn default_dir(reader: &Reader<'_>) -> Option<PathBuf> {
    let base = match (reader.text("XDG_DATA_HOME").map(PathBuf::from), reader.text("HOME")) {
        // The XDG specification has relative paths ignored.
        (Some(xdg), _) if xdg.is_absolute() => xdg,
        (_, Some(home)) => Path::new(&home).join(".local/share"),
        (_, None) => return None,
    };
    Some(base.join("dify-openapi"))
}

/// Makes the directory if need be, readable by its owner only.
pub(crate) fn make(path: &Path) -> Result<(), DataDirError> {
    let io = |cause| DataDirError::Io { path: path.to_owned(), cause };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)
}

/// Keeps other processes out of a data directory for as long as it lives; the operating system ends it with the process.
#[derive(Debug)]
pub(crate) struct DataDirLock {
    path: PathBuf,
    // Closing the file ends the lock.
    _file: File,
}

impl DataDirLock {
    /// Makes the directory if need be and locks it.
    pub(crate) fn acquire(path: &Path) -> Result<Self, DataDirError> {
        make(path)?;
        let io = |cause| DataDirError::Io { path: path.to_owned(), cause };
        let lock = path.join(LOCK_FILE);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(lock).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _file: file }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse(path.to_owned())),
            Err(TryLockError::Error(cause)) => Err(io(cause)),
        }
    }

    /// Deletes what this service keeps in the directory, and nothing else (`--fresh`).
    pub(crate) fn clear(&self) -> Result<(), DataDirError> {
        let database = ["", "-wal", "-shm", "-journal"].map(|suffix| format!("{SQLITE_FILE}{suffix}"));
        for name in database.iter().map(String::as_str).chain([KEY_FILE]) {
            match fs::remove_file(self.path.join(name)) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                    return Err(DataDirError::Io { path: self.path.clone(), cause });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The key that `dev` has kept in the directory, if it has.
pub(super) fn found_secret_key(dir: &Path) -> Result<Option<Secret>, DataDirError> {
    let io = |cause| DataDirError::Io { path: dir.to_owned(), cause };
    let mut file = match File::open(dir.join(KEY_FILE)) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(io(cause)),
    };
    // A file restored from a backup may have lost its mode.
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(io)?;
    let mut key = Zeroizing::new(String::new());
    file.read_to_string(&mut key).map_err(io)?;
    Ok(Some(key.trim()).filter(|key| !key.is_empty()).map(Secret::new))
}

/// The key kept in the directory, made on the first call. The file is its owner's alone.
pub(super) fn kept_secret_key(dir: &Path, entropy: &dyn Entropy) -> Result<Secret, DataDirError> {
    make(dir)?;
    if let Some(key) = found_secret_key(dir)? {
        return Ok(key);
    }
    let io = |cause| DataDirError::Io { path: dir.to_owned(), cause };
    let path = dir.join(KEY_FILE);
    let key = entropy.base64url::<32>().map_err(|cause| io(io::Error::other(cause)))?;
    // Written beside and renamed, so that a crash never leaves half a key.
    let beside = dir.join(format!("{KEY_FILE}.new"));
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside).map_err(io)?;
    file.write_all(key.expose().as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(&beside, &path).map_err(io)?;
    Ok(key)
}
