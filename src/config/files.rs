//! Uploaded files: where their contents are, and the limits of uploads. The names are Dify's.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use url::Url;

use super::{
    reader::Reader,
    settings::{self, Setting},
};
use crate::domain::{file::limits::UploadLimits, secret::Secret};

/// The directory below `DATA_DIR`.
pub(super) const FILES_DIR: &str = "files";
const MIB: u64 = 1 << 20;
/// The size of a file is stored in 31 bits.
const SIZES: RangeInclusive<u64> = 1..=2_047;

#[derive(Clone, Debug)]
pub struct FilesConfig {
    pub storage: FileStorage,
    pub limits: UploadLimits,
    /// How long an address of contents is valid.
    pub preview_lifetime: Duration,
}

#[derive(Clone, Debug)]
pub enum FileStorage {
    Directory(PathBuf),
    S3(S3Bucket),
}

/// A bucket of S3, or of a service that speaks its protocol.
#[derive(Clone, Debug)]
pub struct S3Bucket {
    /// `None` for AWS.
    pub endpoint: Option<Url>,
    pub region: String,
    pub name: String,
    pub access_key: String,
    pub secret_key: Secret,
    /// Whether the bucket is part of the host name.
    pub virtual_host: bool,
}

impl FilesConfig {
    pub(super) fn read(reader: &mut Reader<'_>, data_dir: &Path) -> Self {
        Self {
            storage: FileStorage::read(reader, data_dir),
            limits: limits(reader),
            preview_lifetime: Duration::from_secs(reader.number(&settings::FILES_ACCESS_TIMEOUT, 1..=86_400)),
        }
    }
}

fn limits(reader: &mut Reader<'_>) -> UploadLimits {
    let mut bytes = |setting: &'static Setting| reader.number(setting, SIZES) * MIB;
    UploadLimits {
        file: bytes(&settings::UPLOAD_FILE_SIZE_LIMIT),
        image: bytes(&settings::UPLOAD_IMAGE_FILE_SIZE_LIMIT),
        video: bytes(&settings::UPLOAD_VIDEO_FILE_SIZE_LIMIT),
        audio: bytes(&settings::UPLOAD_AUDIO_FILE_SIZE_LIMIT),
        blocked_extensions: reader
            .list(&settings::UPLOAD_FILE_EXTENSION_BLACKLIST)
            .into_iter()
            .map(|extension| extension.trim_start_matches('.').to_lowercase())
            .collect(),
        run_files: reader.number(&settings::WORKFLOW_FILE_UPLOAD_LIMIT, 1..=100),
    }
}

impl FileStorage {
    fn read(reader: &mut Reader<'_>, data_dir: &Path) -> Self {
        let directory = match reader.text(&settings::OPENDAL_FS_ROOT) {
            Some(path) => std::path::absolute(&path).unwrap_or_else(|_| PathBuf::from(path)),
            None => data_dir.join(FILES_DIR),
        };
        match reader.text(&settings::STORAGE_TYPE).as_deref() {
            Some("s3") => Self::S3(S3Bucket::read(reader)),
            Some("opendal" | "local") | None => Self::Directory(directory),
            Some(_) => {
                reader.problem(&settings::STORAGE_TYPE, "is not valid; set it to opendal (a directory) or s3");
                Self::Directory(directory)
            }
        }
    }
}

impl S3Bucket {
    fn read(reader: &mut Reader<'_>) -> Self {
        let mut required = |setting: &'static Setting| {
            reader.text(setting).unwrap_or_else(|| {
                reader.problem(setting, "is not set although STORAGE_TYPE is s3; set it");
                String::new()
            })
        };
        let (name, access_key) = (required(&settings::S3_BUCKET_NAME), required(&settings::S3_ACCESS_KEY));
        let secret_key = reader.secret(&settings::S3_SECRET_KEY).unwrap_or_else(|| {
            reader.problem(&settings::S3_SECRET_KEY, "is not set although STORAGE_TYPE is s3; set it");
            Secret::new("")
        });
        let virtual_host = match reader.text(&settings::S3_ADDRESS_STYLE).as_deref() {
            Some("virtual") => true,
            Some("path" | "auto") | None => false,
            Some(_) => {
                reader.problem(&settings::S3_ADDRESS_STYLE, "is not valid; set it to path, virtual or auto");
                false
            }
        };
        Self {
            endpoint: reader.http_url(&settings::S3_ENDPOINT),
            region: reader.text(&settings::S3_REGION).unwrap_or_default(),
            name,
            access_key,
            secret_key,
            virtual_host,
        }
    }
}
