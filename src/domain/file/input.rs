//! Files as the inputs of a run name them, and the rules of a form about them. The names are Dify's.

use serde_json::{Map, Value};
use url::Url;

use super::{kind::FileKind, name::FileName};
use crate::domain::id::FileId;

/// Where a file of a run comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileSource {
    /// `local_file`: an upload.
    Upload(FileId),
    /// `remote_url`: an address that is fetched when a node needs the contents.
    Remote(Url),
}

impl FileSource {
    pub(crate) const fn method(&self) -> &'static str {
        match self {
            Self::Upload(_) => "local_file",
            Self::Remote(_) => "remote_url",
        }
    }
}

/// `{type, transfer_method, upload_file_id | url}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileReference {
    /// The declared kind; `None` when the reference has none.
    pub kind: Option<FileKind>,
    pub source: FileSource,
}

impl FileReference {
    /// Reads a reference, or returns what is wrong with it.
    pub(crate) fn parse(members: &Map<String, Value>) -> Result<Self, &'static str> {
        let text = |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let kind = match members.get("type") {
            None | Some(Value::Null) => None,
            Some(kind) => Some(
                kind.as_str()
                    .and_then(FileKind::parse)
                    .ok_or("has a type other than image, document, audio, video and custom")?,
            ),
        };
        let source = match text("transfer_method") {
            Some("local_file") => {
                let id = text("upload_file_id").ok_or("has no upload_file_id")?;
                FileSource::Upload(id.parse().map_err(|_| NO_SUCH_FILE)?)
            }
            Some("remote_url") => {
                let url = text("url").or_else(|| text("remote_url")).ok_or("has no url")?;
                let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
                FileSource::Remote(url.ok_or("has a url that does not begin with http:// or https://")?)
            }
            _ => return Err("has a transfer_method other than local_file and remote_url"),
        };
        Ok(Self { kind, source })
    }

    /// The upload that a file refers to, whatever else is wrong with it.
    pub(crate) fn upload_of(members: &Map<String, Value>) -> Option<FileId> {
        match Self::parse(members).ok()?.source {
            FileSource::Upload(id) => Some(id),
            FileSource::Remote(_) => None,
        }
    }
}

/// An id that is unknown, or of a file of another caller.
pub(crate) const NO_SUCH_FILE: &str = "is not a file that you uploaded";

/// `allowed_file_types`, `allowed_file_extensions`, `allowed_file_upload_methods` of a form's row or of a feature. An
/// empty list allows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileRule {
    kinds: Vec<FileKind>,
    /// In lower case, without dots.
    extensions: Vec<String>,
    methods: Vec<String>,
}

impl FileRule {
    pub(crate) fn of(row: &Map<String, Value>) -> Self {
        let texts =
            |name: &str| row.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        Self {
            kinds: texts("allowed_file_types").filter_map(FileKind::parse).collect(),
            extensions: texts("allowed_file_extensions")
                .map(|extension| extension.trim_start_matches('.').to_lowercase())
                .collect(),
            methods: texts("allowed_file_upload_methods").map(str::to_owned).collect(),
        }
    }

    /// Returns what is wrong with a file of this kind and extension. A file that is declared as custom passes by its
    /// extension, or as the kind that it is.
    pub(crate) fn check(&self, source: &FileSource, kind: FileKind, extension: &str) -> Result<(), &'static str> {
        if !self.methods.is_empty() && !self.methods.iter().any(|method| method == source.method()) {
            return Err("has a transfer_method that is not among the allowed_file_upload_methods");
        }
        if self.kinds.is_empty() && self.extensions.is_empty() {
            return Ok(());
        }
        let is_allowed_kind = kind != FileKind::Custom && self.kinds.contains(&kind);
        let is_custom = self.kinds.is_empty() || self.kinds.contains(&FileKind::Custom);
        if is_allowed_kind || is_custom && self.extensions.iter().any(|allowed| allowed == extension) {
            return Ok(());
        }
        Err("has a type that is not among the allowed_file_types and allowed_file_extensions")
    }
}

/// The name of a remote file, from the path of its address.
pub(crate) fn remote_name(url: &Url) -> Option<FileName> {
    let last = url.path_segments()?.next_back()?;
    let decoded = percent_encoding::percent_decode_str(last).decode_utf8().ok()?;
    FileName::parse(&decoded).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: &Value) -> Result<FileReference, &'static str> {
        FileReference::parse(value.as_object().unwrap())
    }

    #[test]
    fn references_name_an_upload_or_an_address() {
        let id = "0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55";
        let upload = parse(&json!({"type": "image", "transfer_method": "local_file", "upload_file_id": id})).unwrap();
        assert_eq!(upload.kind, Some(FileKind::Image));
        assert_eq!(upload.source, FileSource::Upload(id.parse().unwrap()));
        let remote = parse(&json!({"transfer_method": "remote_url", "url": "https://x.example/a%20b.PDF?c"})).unwrap();
        let FileSource::Remote(url) = remote.source else { panic!() };
        assert_eq!((remote.kind, remote_name(&url).unwrap().as_str()), (None, "a b.PDF"));
        for (value, expected) in [
            (json!({}), "has a transfer_method other than local_file and remote_url"),
            (json!({"transfer_method": "tool_file"}), "has a transfer_method other than local_file and remote_url"),
            (
                json!({"type": "zip", "transfer_method": "local_file"}),
                "has a type other than image, document, audio, video and custom",
            ),
            (json!({"transfer_method": "local_file"}), "has no upload_file_id"),
            (json!({"transfer_method": "local_file", "upload_file_id": "x"}), NO_SUCH_FILE),
            (json!({"transfer_method": "remote_url"}), "has no url"),
            (
                json!({"transfer_method": "remote_url", "url": "file:///etc/passwd"}),
                "has a url that does not begin with http:// or https://",
            ),
        ] {
            assert_eq!(parse(&value), Err(expected), "{value}");
        }
    }

    #[test]
    fn rule_allows_its_types_extensions_and_methods() {
        let rule = |row: Value| FileRule::of(row.as_object().unwrap());
        let upload = FileSource::Upload(FileId(uuid::Uuid::nil()));
        let images = rule(json!({"allowed_file_types": ["image"], "allowed_file_upload_methods": ["remote_url"]}));
        let remote = FileSource::Remote(Url::parse("http://x").unwrap());
        assert!(images.check(&upload, FileKind::Image, "png").is_err(), "method");
        assert!(images.check(&remote, FileKind::Image, "png").is_ok());
        assert!(images.check(&remote, FileKind::Document, "pdf").is_err());
        assert!(images.check(&remote, FileKind::Custom, "png").is_err());
        let custom = rule(json!({"allowed_file_types": ["image", "custom"], "allowed_file_extensions": [".ZIP"]}));
        for (kind, extension, allowed) in [
            (FileKind::Custom, "zip", true),
            (FileKind::Image, "png", true),
            (FileKind::Custom, "exe", false),
            (FileKind::Document, "pdf", false),
        ] {
            assert_eq!(custom.check(&upload, kind, extension).is_ok(), allowed, "{extension}");
        }
        assert!(rule(json!({})).check(&upload, FileKind::Custom, "exe").is_ok());
        assert!(rule(json!({"allowed_file_extensions": ["pdf"]})).check(&upload, FileKind::Document, "pdf").is_ok());
    }
}
