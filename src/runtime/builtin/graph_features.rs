//! The features of an app with a graph: its opening statement, and those that are not supported here.

use serde_json::Value;

use super::{
    graph::{file_uploads::file_uploads, topology::Graph},
    name_list::name_list,
    prompt_app::{
        check::is_enabled,
        moderation,
        template::{fill, inputs},
    },
    run_input::RunInput,
};
use crate::domain::{Code, Error, Result, app::Workflow};

/// Returns `app_unavailable` when the run needs features that are not supported here. The message names all of them.
pub(super) fn check_features(features: &Value, graph: &Graph) -> Result<()> {
    let mut unsupported: Vec<String> = unsupported_feature(features).into_iter().collect();
    unsupported.extend(file_uploads(graph).iter().map(ToString::to_string));
    if unsupported.is_empty() {
        return Ok(());
    }
    let unsupported = name_list(&unsupported);
    Err(Error::new(Code::AppUnavailable, format!("This app uses {unsupported}, which this service does not support.")))
}

/// Adds the features that are not supported here to the error of a graph that cannot be run.
pub(super) fn with_features(error: Error, features: &Value) -> Error {
    let unsupported: Vec<String> = unsupported_feature(features).into_iter().collect();
    if error.code() != Code::AppUnavailable || unsupported.is_empty() {
        return error;
    }
    let message =
        format!("{} It also uses {}, which this service does not support.", error.message(), name_list(&unsupported));
    Error::new(Code::AppUnavailable, message)
}

/// An enabled feature that no run of a graph supports.
pub(crate) fn unsupported_feature(features: &Value) -> Option<String> {
    let moderation = &features["sensitive_word_avoidance"];
    let name = moderation::unsupported_type(moderation).unwrap_or("keywords");
    is_enabled(moderation).then(|| format!("moderation by `{name}` in a graph"))
}

/// The app's opening statement, with the inputs filled in.
pub(super) fn opening_statement(workflow: &Workflow, input: &RunInput) -> Result<String> {
    let template = workflow.features.get("opening_statement").and_then(Value::as_str).unwrap_or_default();
    fill(template, inputs(&input.inputs, &input.form))
}
