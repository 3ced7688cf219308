//! What an app would do with files, which are not supported here.

use serde_json::Value;

use super::{
    error::DslError,
    findings::{EVERY_RUN, Findings},
};
use crate::{domain::app::form::is_truthy, runtime::builtin::prompt_app::check::is_enabled};

/// Adds a file variable of a form. Without a file, a run is rejected only when the variable is required.
pub(super) fn add_form_field(place: String, field: &Value, findings: &mut Findings) {
    let name = field["variable"].as_str().unwrap_or_default();
    if is_truthy(&field["required"]) {
        let reason = format_args!("the required file input `{name}` is not supported here; {EVERY_RUN}");
        findings.unsupported.push(DslError::at(place, reason));
    } else {
        let reason = format_args!("the file input `{name}` is not supported here; a run with a file will be refused");
        findings.warnings.push(DslError::at(place, reason));
    }
}

/// Adds the files that people may send with a message or a run.
pub(super) fn add_feature(place: &str, feature: &Value, findings: &mut Findings) {
    if is_enabled(feature) {
        let reason = "files are not supported here; a run with files will be refused";
        findings.warnings.push(DslError::at(place, reason));
    }
}

/// Whether a form's field of this type takes files.
pub(super) fn is_file_field(kind: &str) -> bool {
    matches!(kind, "file" | "file-list")
}
