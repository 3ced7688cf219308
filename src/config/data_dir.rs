//! The data directory: its path, its lock, and `dev`'s secret key in it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{files::FILES_DIR, reader::Reader, settings};
use crate::{domain::secret::Secret, ports::entropy::Entropy};

/// The file name of the embedded database.
pub(super) const SQLITE_FILE: &str = "dify-openapi.db";
const LOCK_FILE: &str = "lock";
const KEY_FILE: &str = "secret_key";
const NEW_KEY_FILE: &str = "secret_key.new";
/// SQLite's files beside the database.
const SQLITE_SUFFIXES: [&str; 3] = ["-wal", "-shm", "-journal"];

#[derive(Debug, thiserror::Error)]
pub(crate) enum DataDirError {
    #[error("the data directory {} is in use by another dify-openapi process; stop that process, or choose another directory with DATA_DIR or --data", .0.display())]
    InUse(PathBuf),
    #[error("the data directory {} cannot be used ({cause}); make it writable, or choose another directory with DATA_DIR or --data", path.display())]
    Io { path: PathBuf, cause: io::Error },
    #[error("other users can access the data directory {} (its mode is {mode:o}), and it has files of other programs; run `chmod 700 {}`, or choose another directory with DATA_DIR or --data", path.display(), path.display())]
    Shared { path: PathBuf, mode: u32 },
}

/// The path: `DATA_DIR`, or a directory in the home directory if there is one.
pub(super) fn read(reader: &Reader<'_>) -> Option<PathBuf> {
    match reader.text(&settings::DATA_DIR) {
        // A relative path is resolved at the start of the process.
        Some(path) => Some(std::path::absolute(&path).unwrap_or_else(|_| PathBuf::from(path))),
        None => default_dir(reader),
    }
}

/// Records the problem that a data directory is required and there is none.
pub(super) fn missing(reader: &mut Reader<'_>) {
    reader.problem(
        &settings::DATA_DIR,
        "is not set and there is no home directory; set it to a directory to keep data in",
    );
}

fn default_dir(reader: &Reader<'_>) -> Option<PathBuf> {
    let base = match (reader.variable("XDG_DATA_HOME").map(PathBuf::from), reader.variable("HOME")) {
        // The XDG Base Directory Specification requires that relative paths are ignored.
        (Some(xdg), _) if xdg.is_absolute() => xdg,
        (_, Some(home)) => Path::new(&home).join(".local/share"),
        (_, None) => return None,
    };
    Some(base.join("dify-openapi"))
}

/// Creates the directory if it is missing. Restricts it and the files of this service to their owner, also if they
/// exist.
pub(crate) fn create(path: &Path) -> Result<(), DataDirError> {
    let io = |cause| DataDirError::Io { path: path.to_owned(), cause };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
    let mode = fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
    if is_open_to_others(mode) {
        // Other programs may rely on the mode of a directory that they share.
        if !has_only_own_files(path).map_err(io)? {
            return Err(DataDirError::Shared { path: path.to_owned(), mode });
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(io)?;
    }
    for name in own_files() {
        restrict_file(&path.join(name)).map_err(io)?;
    }
    Ok(())
}

/// Creates the file of the embedded database. SQLite would make it readable by others; the files beside it get its
/// mode.
pub(super) fn create_database_file(path: &Path) -> Result<(), DataDirError> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path.join(SQLITE_FILE));
    file.map(drop).map_err(|cause| DataDirError::Io { path: path.to_owned(), cause })
}

/// The names of this service's files in the directory.
fn own_files() -> impl Iterator<Item = String> {
    let database = SQLITE_SUFFIXES.map(|suffix| format!("{SQLITE_FILE}{suffix}"));
    [SQLITE_FILE, LOCK_FILE, KEY_FILE, NEW_KEY_FILE].map(str::to_owned).into_iter().chain(database)
}

fn has_only_own_files(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if name != FILES_DIR && !own_files().any(|own| name == *own) {
            return Ok(false);
        }
    }
    Ok(true)
}

const fn is_open_to_others(mode: u32) -> bool {
    mode & 0o077 != 0
}

/// Sets the mode of a file to 0600 if others can access it. A missing file is not an error.
fn restrict_file(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if is_open_to_others(metadata.permissions().mode()) => {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        }
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

/// The lock of a data directory. The operating system releases it when the process ends.
#[derive(Debug)]
pub(crate) struct DataDirLock {
    path: PathBuf,
    // Closing the file releases the lock.
    _file: File,
}

impl DataDirLock {
    /// Creates the directory if it is missing, and locks it.
    pub(crate) fn acquire(path: &Path) -> Result<Self, DataDirError> {
        create(path)?;
        let io = |cause| DataDirError::Io { path: path.to_owned(), cause };
        let lock = path.join(LOCK_FILE);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(lock).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _file: file }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse(path.to_owned())),
            Err(TryLockError::Error(cause)) => Err(io(cause)),
        }
    }

    /// Deletes the files of this service, uploads among them, and no others (`--fresh`).
    pub(crate) fn clear(&self) -> Result<(), DataDirError> {
        for name in own_files().filter(|name| name != LOCK_FILE) {
            match fs::remove_file(self.path.join(name)) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                    return Err(DataDirError::Io { path: self.path.clone(), cause });
                }
                _ => {}
            }
        }
        match fs::remove_dir_all(self.path.join(FILES_DIR)) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(DataDirError::Io { path: self.path.clone(), cause })
            }
            _ => Ok(()),
        }
    }
}

/// Reads the secret key that `dev` generated.
pub(super) fn find_secret_key(dir: &Path) -> Result<Option<Secret>, DataDirError> {
    let io = |cause| DataDirError::Io { path: dir.to_owned(), cause };
    let path = dir.join(KEY_FILE);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(io(cause)),
    };
    // A backup may have restored the file with another mode.
    restrict_file(&path).map_err(io)?;
    let mut key = Zeroizing::new(String::new());
    file.read_to_string(&mut key).map_err(io)?;
    Ok(Some(key.trim()).filter(|key| !key.is_empty()).map(Secret::new))
}

/// Reads the secret key, or generates it if there is none. Only the owner of the file can read it.
pub(super) fn find_or_generate_secret_key(dir: &Path, entropy: &dyn Entropy) -> Result<Secret, DataDirError> {
    create(dir)?;
    if let Some(key) = find_secret_key(dir)? {
        return Ok(key);
    }
    let io = |cause| DataDirError::Io { path: dir.to_owned(), cause };
    let path = dir.join(KEY_FILE);
    let key = entropy.base64url::<32>().map_err(|cause| io(io::Error::other(cause)))?;
    // Renaming a complete file is atomic, so a crash never leaves a part of a key.
    let new_path = dir.join(NEW_KEY_FILE);
    let mut file =
        OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new_path).map_err(io)?;
    file.write_all(key.expose().as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(&new_path, &path).map_err(io)?;
    Ok(key)
}
