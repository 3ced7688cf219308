//! Kinds of files, which follow from the extension as in Dify.

/// The `type` of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Image,
    Document,
    Audio,
    Video,
    /// Everything else.
    Custom,
}

const IMAGES: [&str; 6] = ["jpg", "jpeg", "png", "webp", "gif", "svg"];
const VIDEOS: [&str; 4] = ["mp4", "mov", "mpeg", "webm"];
const AUDIOS: [&str; 5] = ["mp3", "m4a", "wav", "amr", "mpga"];
const DOCUMENTS: [&str; 21] = [
    "txt",
    "markdown",
    "md",
    "mdx",
    "pdf",
    "html",
    "htm",
    "xlsx",
    "xls",
    "vtt",
    "properties",
    "doc",
    "docx",
    "csv",
    "eml",
    "msg",
    "pptx",
    "ppt",
    "xml",
    "epub",
    "json",
];

impl FileKind {
    const ALL: [Self; 5] = [Self::Image, Self::Document, Self::Audio, Self::Video, Self::Custom];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Document => "document",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Custom => "custom",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The kind of an extension in lower case, without its dot.
    pub fn of_extension(extension: &str) -> Self {
        match extension {
            _ if IMAGES.contains(&extension) => Self::Image,
            _ if VIDEOS.contains(&extension) => Self::Video,
            _ if AUDIOS.contains(&extension) => Self::Audio,
            _ if DOCUMENTS.contains(&extension) => Self::Document,
            _ => Self::Custom,
        }
    }

    /// The kind of a file: by its extension, else by its media type.
    pub fn of(extension: &str, media_type: &str) -> Self {
        match Self::of_extension(extension) {
            Self::Custom => Self::of_media_type(media_type),
            kind => kind,
        }
    }

    /// The kind of a media type, for files without a known extension.
    pub fn of_media_type(media_type: &str) -> Self {
        match media_type.split('/').next() {
            Some("image") => Self::Image,
            Some("audio") => Self::Audio,
            Some("video") => Self::Video,
            Some("text") => Self::Document,
            _ if media_type == "application/pdf" => Self::Document,
            _ => Self::Custom,
        }
    }
}
