//! The media type of a file: by its first bytes, else by its extension. What the client declares decides last.

use super::{kind::FileKind, name::FileName};
use crate::domain::error::{Code, Error, Result};

/// Bytes of a file that decide its media type.
pub(crate) const HEAD_BYTES: usize = 4 << 10;
/// The media type of unknown contents.
const UNKNOWN: &str = "application/octet-stream";
/// Longest declared media type.
const MAX_DECLARED: usize = 127;

/// Media types of extensions whose contents have no signature.
const BY_EXTENSION: [(&str, &str); 19] = [
    ("txt", "text/plain"),
    ("log", "text/plain"),
    ("properties", "text/plain"),
    ("md", "text/markdown"),
    ("mdx", "text/markdown"),
    ("markdown", "text/markdown"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("xml", "text/xml"),
    ("vtt", "text/vtt"),
    ("json", "application/json"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("eml", "message/rfc822"),
    ("svg", "image/svg+xml"),
    ("mpga", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("mpeg", "video/mpeg"),
];

/// The media type of a file from its first bytes.
///
/// Fails with `unsupported_file_type` when the extension promises an image, a sound or a film and the contents are
/// something else. An empty file can have any extension.
pub(crate) fn media_type(name: &FileName, head: &[u8], declared: Option<&str>) -> Result<String> {
    let extension = name.extension();
    let found = signature(head);
    let kind = FileKind::of_extension(extension);
    let fits = match (kind, found) {
        _ if head.is_empty() => true,
        // A vector graphic is text.
        (FileKind::Image, _) if extension == "svg" => found.is_none_or(|found| found.starts_with("text/")),
        (FileKind::Image, found) => found.is_some_and(|found| found.starts_with("image/")),
        // A container of films may hold only sound.
        (FileKind::Audio | FileKind::Video, Some(found)) => found.starts_with("audio/") || found.starts_with("video/"),
        _ => true,
    };
    if !fits {
        let found = found.unwrap_or("something else");
        let message = format!("The extension of the file is .{extension}, but its contents are {found}.");
        return Err(Error::new(Code::UnsupportedFileType, message));
    }
    let of_extension = BY_EXTENSION.iter().find(|(known, _)| *known == extension).map(|(_, media_type)| *media_type);
    let binary = found.filter(|found| !found.starts_with("text/"));
    Ok(binary.or(of_extension).or(found).or(declared.and_then(plain)).unwrap_or(UNKNOWN).to_owned())
}

/// The media type by signature.
pub(crate) fn signature(head: &[u8]) -> Option<&'static str> {
    infer::get(head).map(|found| found.mime_type())
}

/// A declared media type without parameters, if it has the form `type/subtype`.
fn plain(declared: &str) -> Option<&str> {
    let essence = declared.split(';').next()?.trim();
    let (kind, subtype) = essence.split_once('/')?;
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    (essence.len() <= MAX_DECLARED && is_token(kind) && is_token(subtype)).then_some(essence)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0\x08\0";
    const PDF: &[u8] = b"%PDF-1.7\n";

    #[test]
    fn contents_decide_before_the_extension_and_the_declaration() {
        for (name, head, declared, expected) in [
            ("a.png", PNG, Some("text/html"), "image/png"),
            ("a.jpg", PNG, None, "image/png"),
            ("a.txt", PDF, Some("text/plain"), "application/pdf"),
            ("a.txt", b"hello".as_slice(), Some("text/html"), "text/plain"),
            ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", None, "image/svg+xml"),
            ("a.svg", b"<?xml version='1.0'?><svg/>", None, "image/svg+xml"),
            ("a.zip", ZIP, None, "application/zip"),
            ("a.bin", b"\x01\x02", Some("application/x-thing; charset=utf-8"), "application/x-thing"),
            ("a.bin", b"\x01\x02", Some("text/html<script>"), "application/octet-stream"),
            ("empty.png", b"", None, "application/octet-stream"),
            ("empty.txt", b"", None, "text/plain"),
            ("song.mp3", b"ID3\x04\0", None, "audio/mpeg"),
        ] {
            let name = FileName::parse(name).unwrap();
            assert_eq!(media_type(&name, head, declared).unwrap(), expected, "{name:?}");
        }
    }

    #[test]
    fn media_whose_contents_are_something_else_are_refused() {
        for (name, head) in [
            ("cat.png", ZIP),
            ("cat.png", b"<html><script>alert(1)</script></html>"),
            ("cat.gif", b"just text"),
            ("cat.svg", PNG),
            ("song.mp3", PDF),
            ("film.mp4", ZIP),
        ] {
            let name = FileName::parse(name).unwrap();
            assert_eq!(media_type(&name, head, Some("image/png")).unwrap_err().code(), Code::UnsupportedFileType);
        }
    }
}
