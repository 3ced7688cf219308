//! The `parameters` block: the settings from which Dify's clients build their page (contract section 6).

use serde_json::{Map, Value, json};

use crate::domain::{
    app::{Definition, form::is_truthy},
    file::limits::UploadLimits,
};

/// Default limit of files of a run.
const MAX_FILES: u64 = 3;

/// The block of an app. Without a definition it has Dify's defaults.
pub(super) fn parameters(definition: Option<&Definition>, uploads: &UploadLimits) -> Map<String, Value> {
    let Some(definition) = definition else { return empty() };
    let feature = |name, default: fn() -> Value| feature(definition, name).unwrap_or_else(default);
    // In apps without a graph, sources are shown by default.
    let retriever: fn() -> Value = match definition {
        Definition::Model(_) => || json!({"enabled": true}),
        Definition::Workflow(_) => disabled,
    };
    // Dify has two names for the settings of moderation.
    let moderation: fn() -> Value = match definition {
        Definition::Model(_) => || json!({"enabled": false, "type": "", "config": {}}),
        Definition::Workflow(_) => || json!({"enabled": false, "type": "", "configs": []}),
    };
    object([
        ("opening_statement", feature("opening_statement", || Value::Null)),
        ("suggested_questions", feature("suggested_questions", || json!([]))),
        ("suggested_questions_after_answer", feature("suggested_questions_after_answer", disabled)),
        ("speech_to_text", feature("speech_to_text", disabled)),
        ("text_to_speech", feature("text_to_speech", disabled)),
        ("retriever_resource", feature("retriever_resource", retriever)),
        ("annotation_reply", feature("annotation_reply", disabled)),
        ("more_like_this", feature("more_like_this", disabled)),
        ("user_input_form", definition.form_rows().into()),
        ("sensitive_word_avoidance", feature("sensitive_word_avoidance", moderation)),
        ("file_upload", upload(definition, feature("file_upload", no_upload))),
        ("system_parameters", system_parameters(uploads)),
    ])
}

/// The stored value of a feature; `None` if it was never set.
fn feature(definition: &Definition, name: &str) -> Option<Value> {
    let stored = match definition {
        Definition::Workflow(workflow) => workflow.features.get(name)?,
        Definition::Model(config) => match name {
            "opening_statement" if config.opening_statement.is_empty() => return None,
            "opening_statement" => return Some(config.opening_statement.clone().into()),
            "suggested_questions" => &config.suggested_questions,
            "suggested_questions_after_answer" => &config.suggested_questions_after_answer,
            "speech_to_text" => &config.speech_to_text,
            "text_to_speech" => &config.text_to_speech,
            "retriever_resource" => &config.retriever_resource,
            "more_like_this" => &config.more_like_this,
            "sensitive_word_avoidance" => &config.sensitive_word_avoidance,
            "file_upload" => &config.file_upload,
            _ => return None,
        },
    };
    (!stored.is_null()).then(|| stored.clone())
}

/// Converts the upload settings of graphs from the time when only images could be uploaded to the current format.
fn upload(definition: &Definition, mut stored: Value) -> Value {
    let image_enabled = stored.pointer("/image/enabled").is_some_and(is_truthy);
    let (Definition::Workflow(_), true, Some(members)) = (definition, image_enabled, stored.as_object_mut()) else {
        return stored;
    };
    let image = members.shift_remove("image").unwrap_or_default();
    let limit = image.get("number_limits").and_then(Value::as_u64).unwrap_or(MAX_FILES);
    let methods = image.get("transfer_methods").cloned().unwrap_or_else(|| json!(["remote_url", "local_file"]));
    members.insert("enabled".to_owned(), true.into());
    members.insert("number_limits".to_owned(), limit.into());
    members.insert("allowed_file_upload_methods".to_owned(), methods);
    members.entry("allowed_file_types").or_insert_with(|| json!(["image"]));
    members.entry("allowed_file_extensions").or_insert_with(|| json!([]));
    stored
}

fn disabled() -> Value {
    json!({"enabled": false})
}

fn no_upload() -> Value {
    json!({"image": {
        "enabled": false,
        "number_limits": MAX_FILES,
        "detail": "high",
        "transfer_methods": ["remote_url", "local_file"],
    }})
}

/// The limits of uploads, in megabytes and numbers of files.
fn system_parameters(uploads: &UploadLimits) -> Value {
    json!({
        "image_file_size_limit": uploads.image >> 20,
        "video_file_size_limit": uploads.video >> 20,
        "audio_file_size_limit": uploads.audio >> 20,
        "file_size_limit": uploads.file >> 20,
        "workflow_file_upload_limit": uploads.run_files,
    })
}

/// The block that Dify returns for an app without a published definition.
fn empty() -> Map<String, Value> {
    object([
        ("opening_statement", Value::Null),
        ("suggested_questions", json!([])),
        ("user_input_form", json!([])),
        ("file_upload", Value::Null),
        ("system_parameters", json!({})),
    ])
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
