//! Dify's DSL files, as the use cases of apps read and write them.

use crate::domain::{Result, app::file::AppFile};

/// A file that was read.
#[derive(Clone, Debug)]
pub struct ReadAppFile {
    pub app: AppFile,
    pub version: FileVersion,
    /// Whether parts of the app do not work here.
    pub has_warnings: bool,
}

/// The version of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileVersion {
    /// As the file has it.
    pub text: String,
    pub age: FileAge,
}

/// The age of a file's version, beside the one that is written here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileAge {
    Older,
    Current,
    Newer,
}

/// What reading a file gave.
#[derive(Clone, Debug)]
pub enum AppFileReading {
    Read(Box<ReadAppFile>),
    /// The file is of a newer version, and was not read any further.
    Newer(FileVersion),
}

/// Why a file cannot be imported: a sentence for its author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AppFileError(pub String);

/// Reads and writes files.
pub trait AppFileFormat: Send + Sync + 'static {
    /// Longest text that is read, in bytes.
    fn max_bytes(&self) -> usize;

    /// The version of the files that are written.
    fn version(&self) -> &'static str;

    /// An upper estimate of the bytes of memory that reading a text takes.
    fn weight(&self, text: &str) -> usize;

    /// Reads a file. A newer version is read only if `accepts_newer`. Takes long for a long text.
    fn read(&self, text: &str, accepts_newer: bool) -> Result<AppFileReading, AppFileError>;

    /// Writes a file that reading gives back unchanged.
    fn write(&self, app: &AppFile) -> Result<String>;
}
