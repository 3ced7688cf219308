//! What every file has: its version, its kind, and what the app is called.

use serde_json::Value;

use super::{
    error::{DslError, shown},
    version,
};
use crate::{
    domain::app::{
        AppMode,
        file::{AppBody, AppFile, ICON_TYPES, MAX_NAME},
    },
    ports::app_file_format::{FileAge, FileVersion},
};

/// An app without what it does.
pub(super) struct Outline {
    pub(super) mode: AppMode,
    pub(super) version: FileVersion,
    file: AppFile,
}

impl Outline {
    pub(super) fn with(self, body: AppBody) -> (FileVersion, AppFile) {
        (self.version, AppFile { body, ..self.file })
    }
}

/// Reads `version`, `kind` and `app`. A file without a kind is an app.
pub(super) fn read(document: &Value, accepts_newer: bool) -> Result<Outline, DslError> {
    if !document.is_object() {
        return Err(DslError::at(
            "",
            "the file is not a mapping; a DSL file has `app:`, and `workflow:` or `model_config:`",
        ));
    }
    let version = version::read(&document["version"])?;
    if version.age == FileAge::Newer && !accepts_newer {
        return Err(version::unsupported(&document["version"]));
    }
    match &document["kind"] {
        Value::String(kind) if kind == "app" || kind.is_empty() => {}
        Value::Null => {}
        other => return Err(DslError::at("kind", format_args!("is {other}, but only `app` can be imported"))),
    }
    let app = &document["app"];
    if !app.is_object() {
        return Err(DslError::at("app", "must be a mapping with `name` and `mode`"));
    }
    let mode = match &app["mode"] {
        Value::String(mode) => AppMode::parse(mode),
        _ => None,
    };
    let Some(mode) = mode else {
        let known: Vec<_> = AppMode::ALL.iter().map(|mode| mode.as_str()).collect();
        let (given, known) = (shown(&app["mode"]), known.join(", "));
        return Err(DslError::at("app.mode", format_args!("is {given}; the modes are {known}")));
    };
    let Some(name) = short_text(app, "name")?.filter(|name| !name.trim().is_empty()) else {
        return Err(DslError::at("app.name", "the app has no name"));
    };
    if name.contains(char::is_control) {
        return Err(DslError::at("app.name", "contains a control character"));
    }
    let icon_type = short_text(app, "icon_type")?.filter(|kind| !kind.is_empty());
    if let Some(other) = icon_type.as_deref().filter(|kind| !ICON_TYPES.contains(kind)) {
        return Err(DslError::at("app.icon_type", format_args!("is `{other}`; write emoji, image or link")));
    }
    let description = match &app["description"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        _ => return Err(DslError::at("app.description", "must be text")),
    };
    let use_icon_as_answer_icon = match &app["use_icon_as_answer_icon"] {
        Value::Null => false,
        Value::Bool(wish) => *wish,
        _ => return Err(DslError::at("app.use_icon_as_answer_icon", "must be true or false")),
    };
    let file = AppFile {
        name,
        mode,
        description,
        icon: short_text(app, "icon")?,
        icon_type,
        icon_background: short_text(app, "icon_background")?,
        use_icon_as_answer_icon,
        body: AppBody::Model(serde_json::Map::new()),
    };
    Ok(Outline { mode, version, file })
}

fn short_text(app: &Value, member: &str) -> Result<Option<String>, DslError> {
    let place = || format!("app.{member}");
    match &app[member] {
        Value::Null => Ok(None),
        Value::String(text) if text.chars().count() <= MAX_NAME => Ok(Some(text.clone())),
        Value::String(_) => Err(DslError::at(place(), format_args!("is longer than {MAX_NAME} characters"))),
        _ => Err(DslError::at(place(), "must be text")),
    }
}
