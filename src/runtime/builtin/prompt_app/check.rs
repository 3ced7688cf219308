//! What a prompt app may ask for and is not done here: told before anything ran.

use serde_json::Value;

use super::moderation;
use crate::domain::{
    Code, Error, Result,
    app::{AppMode, ModelConfig},
    text::is_unprintable,
};

/// `app_unavailable`, naming the feature, when the app needs one that is not here.
pub(crate) fn check(mode: AppMode, config: &ModelConfig, with_files: bool) -> Result<()> {
    let lacking = lacking_tool(mode, config)
        .or_else(|| retrieves(config).then(|| "knowledge retrieval".to_owned()))
        .or_else(|| lacking_variable(config).map(|name| format!("the external data tool `{name}`")))
        .or_else(|| {
            moderation::lacking_kind(&config.sensitive_word_avoidance).map(|kind| format!("moderation by `{kind}`"))
        })
        .or_else(|| (with_files && is_enabled(&config.file_upload)).then(|| "files".to_owned()));
    match lacking {
        Some(feature) => Err(Error::new(
            Code::AppUnavailable,
            format!("This app uses {}, which this service does not support.", shortened(&feature)),
        )),
        None => Ok(()),
    }
}

fn rows(form: &Value) -> impl Iterator<Item = (&String, &Value)> {
    form.as_array().into_iter().flatten().filter_map(Value::as_object).flatten()
}

/// Whether `{"enabled": true}`, or Dify's older `{"image": {"enabled": true}}`.
pub(crate) fn is_enabled(feature: &Value) -> bool {
    let on = |value: Option<&Value>| value.and_then(Value::as_bool) == Some(true);
    on(feature.get("enabled")) || on(feature.pointer("/image/enabled"))
}

/// A tool of the agent; those switched off do not count, and an agent that is off has none.
fn lacking_tool(mode: AppMode, config: &ModelConfig) -> Option<String> {
    if mode != AppMode::AgentChat && !is_enabled(&config.agent_mode) {
        return None;
    }
    config.agent_mode.get("tools")?.as_array()?.iter().find_map(|tool| {
        // New ones are `{"tool_name", "enabled", …}`, old ones `{"google_search": {"enabled", …}}`.
        if let Some(name) = tool.get("tool_name").and_then(Value::as_str) {
            return (tool.get("enabled") != Some(&Value::Bool(false))).then(|| format!("the tool `{name}`"));
        }
        let (name, settings) = tool.as_object()?.iter().next()?;
        is_enabled(settings)
            .then(|| if name == "dataset" { "knowledge retrieval".to_owned() } else { format!("the tool `{name}`") })
    })
}

/// Whether the app has datasets; older ones stand among the tools of an agent, which may itself be off.
fn retrieves(config: &ModelConfig) -> bool {
    let tools = config.agent_mode.get("tools").and_then(Value::as_array).into_iter().flatten();
    let datasets = config.dataset_configs.pointer("/datasets/datasets").and_then(Value::as_array).into_iter().flatten();
    tools.chain(datasets).filter_map(|item| item.get("dataset")).any(is_enabled)
}

fn lacking_variable(config: &ModelConfig) -> Option<String> {
    let name = |tool: &Value| tool.get("variable").and_then(Value::as_str).unwrap_or_default().to_owned();
    let tools = config.external_data_tools.as_array().into_iter().flatten();
    let in_form = rows(&config.user_input_form).filter(|(kind, _)| *kind == "external_data_tool");
    let mut in_form = in_form.map(|(_, row)| row).filter(|row| row.get("enabled") != Some(&Value::Bool(false)));
    tools.into_iter().find(|tool| is_enabled(tool)).or_else(|| in_form.next()).map(name)
}

/// Names come out of DSL files.
fn shortened(feature: &str) -> String {
    feature.chars().filter(|symbol| !is_unprintable(*symbol)).take(120).collect()
}
