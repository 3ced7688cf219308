//! Limits of uploads (`UPLOAD_…`).

use std::{collections::BTreeSet, time::Duration};

use super::kind::FileKind;

const MIB: u64 = 1 << 20;
/// Longest time that an upload takes.
pub(crate) const UPLOAD_TIMEOUT: Duration = Duration::from_mins(10);

/// The size limits by kind, in bytes, and the extensions that are not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadLimits {
    pub file: u64,
    pub image: u64,
    pub video: u64,
    pub audio: u64,
    /// In lower case, without dots.
    pub blocked_extensions: BTreeSet<String>,
    /// Files of one run.
    pub run_files: u32,
}

impl Default for UploadLimits {
    /// Dify's defaults.
    fn default() -> Self {
        Self {
            file: 15 * MIB,
            image: 10 * MIB,
            video: 100 * MIB,
            audio: 50 * MIB,
            blocked_extensions: BTreeSet::new(),
            run_files: 10,
        }
    }
}

impl UploadLimits {
    /// The limit for a file with this extension, in bytes.
    pub fn of_extension(&self, extension: &str) -> u64 {
        match FileKind::of_extension(extension) {
            FileKind::Image => self.image,
            FileKind::Video => self.video,
            FileKind::Audio => self.audio,
            FileKind::Document | FileKind::Custom => self.file,
        }
    }

    /// The largest of all limits, in bytes.
    pub fn largest(&self) -> u64 {
        self.file.max(self.image).max(self.video).max(self.audio)
    }
}
