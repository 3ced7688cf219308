//! The version of a file.

use std::cmp::Ordering;

use serde_json::Value;

use super::error::{DslError, shown};
use crate::ports::app_file_format::{FileAge, FileVersion};

/// The version of the files that are written.
pub(super) const VERSION: &str = "0.6.0";
/// Major and minor of [`VERSION`].
const CURRENT: (u32, u32) = (0, 6);
/// The oldest version that is read.
const OLDEST: (u32, u32) = (0, 1);
/// The version of a file without one.
const UNVERSIONED: &str = "0.1.0";

/// Reads `version`: major, minor and, whatever it is, a patch.
pub(super) fn read(version: &Value) -> Result<FileVersion, DslError> {
    let text = match version {
        Value::String(text) if text.is_empty() => UNVERSIONED.to_owned(),
        Value::Null => UNVERSIONED.to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(DslError::at("version", "is not a version; write one like 0.6.0")),
    };
    let mut parts = text.split('.').map(str::parse::<u32>);
    let numbers = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor)), None | Some(Ok(_)), None) => Some((major, minor)),
        _ => None,
    };
    let age = numbers.filter(|numbers| *numbers >= OLDEST).map(|numbers| match numbers.cmp(&CURRENT) {
        Ordering::Less => FileAge::Older,
        Ordering::Equal => FileAge::Current,
        Ordering::Greater => FileAge::Newer,
    });
    age.map(|age| FileVersion { text, age }).ok_or_else(|| unsupported(version))
}

/// The error of a version that is not read.
pub(super) fn unsupported(version: &Value) -> DslError {
    DslError::at("version", format_args!("is {}; versions 0.1 to 0.6 are supported", shown(version)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn age_follows_from_major_and_minor() {
        for (version, expected) in [
            (json!(null), Some(FileAge::Older)),
            (json!(""), Some(FileAge::Older)),
            (json!("0.1"), Some(FileAge::Older)),
            (json!(0.5), Some(FileAge::Older)),
            (json!("0.5.9"), Some(FileAge::Older)),
            (json!("0.6.0"), Some(FileAge::Current)),
            (json!("0.6.7"), Some(FileAge::Current)),
            (json!("0.7.0"), Some(FileAge::Newer)),
            (json!("1.0"), Some(FileAge::Newer)),
            (json!("0.0.9"), None),
            (json!("0"), None),
            (json!("0.6.0.1"), None),
            (json!("0.6-beta"), None),
            (json!("99999999999.0"), None),
            (json!([]), None),
        ] {
            assert_eq!(read(&version).ok().map(|version| version.age), expected, "{version}");
        }
    }
}
