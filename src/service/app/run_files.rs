//! The files of a run: checked against the app's form and features, and written as runs use them.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::domain::{
    app::Definition,
    app::form::{FormVariable, VariableKind},
    file::{
        input::{FileReference, FileRule, FileSource, NO_SUCH_FILE, remote_name},
        kind::FileKind,
        name::FileName,
        uploaded::UploadedFile,
    },
    id::FileId,
};

/// How runs receive files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileForm {
    /// With the members that nodes read, for the built-in runtime.
    Resolved,
    /// As clients send them, for Dify's service API.
    Forwarded,
}

/// An upload of the caller, and the address of its contents, unless Dify serves them.
#[derive(Clone, Debug)]
pub(crate) struct KnownFile {
    pub file: UploadedFile,
    pub url: Option<String>,
}

/// The uploads of the caller that a run refers to.
#[derive(Clone, Debug)]
pub(crate) struct RunFiles {
    pub form: FileForm,
    /// Limit of files in one list.
    pub max_files: u64,
    pub known: HashMap<FileId, KnownFile>,
}

impl RunFiles {
    pub(in crate::service) fn into_uploads(self) -> Vec<UploadedFile> {
        self.known.into_values().map(|known| known.file).collect()
    }

    /// The value of a file, or what is wrong with it.
    pub(super) fn value(&self, rule: &FileRule, members: &Map<String, Value>) -> Result<Value, &'static str> {
        let reference = FileReference::parse(members)?;
        let (known, remote) = match &reference.source {
            FileSource::Upload(id) => (Some(self.known.get(id).ok_or(NO_SUCH_FILE)?), None),
            FileSource::Remote(url) => (None, remote_name(url)),
        };
        let extension = known.map(|known| known.file.extension.as_str()).or(remote.as_ref().map(FileName::extension));
        let extension = extension.unwrap_or_default();
        let found = known.map_or_else(|| FileKind::of_extension(extension), |known| known.file.kind());
        let declared = reference.kind.unwrap_or(found);
        // The address of a remote file may have no extension, so that its kind is not known.
        let is_known = known.is_some() || found != FileKind::Custom;
        if is_known && declared != found && declared != FileKind::Custom {
            return Err("has another type than its file");
        }
        rule.check(&reference.source, declared, extension)?;
        Ok(match self.form {
            FileForm::Forwarded => forwarded(&reference.source, declared),
            FileForm::Resolved => {
                resolved(&reference.source, declared, known, extension, remote.as_ref().map(FileName::as_str))
            }
        })
    }
}

fn forwarded(source: &FileSource, kind: FileKind) -> Value {
    let (member, value) = match source {
        FileSource::Upload(id) => ("upload_file_id", id.to_string()),
        FileSource::Remote(url) => ("url", url.to_string()),
    };
    json!({"type": kind.as_str(), "transfer_method": source.method(), member: value})
}

/// The members of Dify's files. `name` and `filename` are the same: templates read the first, events have the second.
fn resolved(
    source: &FileSource,
    kind: FileKind,
    known: Option<&KnownFile>,
    extension: &str,
    remote_name: Option<&str>,
) -> Value {
    let file = known.map(|known| &known.file);
    let name = file.map(|file| file.name.as_str()).or(remote_name);
    let url = match source {
        FileSource::Remote(url) => Some(url.as_str()),
        FileSource::Upload(_) => known.and_then(|known| known.url.as_deref()),
    };
    let remote_url = matches!(source, FileSource::Remote(_)).then_some(url).flatten();
    json!({
        "dify_model_identity": "__dify__file__",
        "id": null,
        "tenant_id": file.map(|file| file.workspace_id.to_string()),
        "type": kind.as_str(),
        "transfer_method": source.method(),
        "remote_url": remote_url,
        "related_id": file.map(|file| file.id.to_string()),
        "upload_file_id": file.map(|file| file.id.to_string()),
        "filename": name,
        "name": name,
        "extension": (!extension.is_empty()).then(|| format!(".{extension}")),
        "mime_type": file.map(|file| file.media_type.as_str()),
        "size": file.map_or(-1, |file| i64::try_from(file.size).unwrap_or(i64::MAX)),
        "url": url,
    })
}

/// The uploads that the inputs and the files of a run refer to. Longer lists than the app allows are left out, because
/// they are refused. `max_files` is the limit of files in one list.
pub(crate) fn referenced_uploads(
    definition: &Definition,
    inputs: &Map<String, Value>,
    files: &[Map<String, Value>],
    max_files: u64,
) -> Vec<FileId> {
    let mut ids = Vec::new();
    for variable in definition.variables() {
        match (variable.kind, inputs.get(variable.name)) {
            (VariableKind::File, Some(Value::Object(file))) => ids.extend(FileReference::upload_of(file)),
            (VariableKind::FileList, Some(Value::Array(items)))
                if items.len() as u64 <= list_limit(&variable, max_files) =>
            {
                ids.extend(items.iter().filter_map(Value::as_object).filter_map(FileReference::upload_of));
            }
            _ => {}
        }
    }
    if upload_feature(definition, max_files).is_some_and(|(_, limit)| files.len() as u64 <= limit) {
        ids.extend(files.iter().filter_map(FileReference::upload_of));
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The limit of files in a list.
pub(super) fn list_limit(variable: &FormVariable<'_>, max_files: u64) -> u64 {
    variable.max_length().unwrap_or(max_files)
}

/// The rule of the app's file upload, and its limit of files, which is at most `max_files`. `None` when the app takes
/// no files.
pub(super) fn upload_feature(definition: &Definition, max_files: u64) -> Option<(FileRule, u64)> {
    let feature = match definition {
        Definition::Model(config) => &config.file_upload,
        Definition::Workflow(workflow) => workflow.features.get("file_upload")?,
    };
    let is_enabled = |value: Option<&Value>| value.and_then(Value::as_bool) == Some(true);
    let limit = |row: &Value| row.get("number_limits").and_then(Value::as_u64).unwrap_or(max_files).min(max_files);
    if is_enabled(feature.get("enabled")) {
        return Some((FileRule::of(feature.as_object()?), limit(feature)));
    }
    // Older apps take images only.
    let image = feature.get("image").filter(|image| is_enabled(image.get("enabled")))?;
    let rule = json!({
        "allowed_file_types": ["image"],
        "allowed_file_upload_methods": image.get("transfer_methods").cloned().unwrap_or_default(),
    });
    Some((FileRule::of(rule.as_object()?), limit(image)))
}
