//! The disk of a SQLite file.

use std::{
    io::{Result, Write as _},
    path::{Path, PathBuf},
    str::FromStr as _,
};

use sea_orm::sqlx::sqlite::SqliteConnectOptions;

/// More than the statements of a request add to the file and its log.
const CHECK_BYTES: usize = 64 << 10;

/// The directory of the file that a URL names.
pub(super) fn directory_of(url: &str) -> Option<PathBuf> {
    let options = SqliteConnectOptions::from_str(url).ok()?;
    let directory = options.get_filename().parent()?;
    Some(if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory.to_owned() })
}

/// Fails when the disk of a directory is full. SQLite itself succeeds as long as its log has space from before. Blocks on
/// the file system; the file has no name, so it ends with this call.
pub(super) fn check_space(directory: &Path) -> Result<()> {
    tempfile::tempfile_in(directory)?.write_all(&vec![0; CHECK_BYTES])
}
