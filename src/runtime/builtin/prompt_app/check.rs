//! What a prompt app may ask for and is not supported here: reported before a run, and at import.

use serde_json::Value;

use super::moderation;
use crate::{
    domain::{
        Code, Error, Result,
        app::{AppMode, ModelConfig},
        text::is_unprintable,
    },
    runtime::builtin::name_list::name_list,
};

/// The members of a model configuration that may ask for something that is not supported here.
pub(crate) struct CheckedConfig<'a> {
    pub agent_mode: &'a Value,
    pub dataset_configs: &'a Value,
    pub external_data_tools: &'a Value,
    pub user_input_form: &'a Value,
    pub sensitive_word_avoidance: &'a Value,
}

impl<'a> From<&'a ModelConfig> for CheckedConfig<'a> {
    fn from(config: &'a ModelConfig) -> Self {
        Self {
            agent_mode: &config.agent_mode,
            dataset_configs: &config.dataset_configs,
            external_data_tools: &config.external_data_tools,
            user_input_form: &config.user_input_form,
            sensitive_word_avoidance: &config.sensitive_word_avoidance,
        }
    }
}

/// Something that an app asks for and that is not supported here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnsupportedFeature {
    /// The member of the configuration, such as `agent_mode.tools[1]`.
    pub place: String,
    /// What it is, such as "the tool `current_time`".
    pub feature: String,
}

impl UnsupportedFeature {
    fn new(place: impl Into<String>, feature: impl AsRef<str>) -> Self {
        Self { place: place.into(), feature: shortened(feature.as_ref()) }
    }
}

/// Returns `app_unavailable`, naming every feature that the app needs and that is not supported here.
pub(crate) fn check(mode: AppMode, config: &ModelConfig, with_files: bool) -> Result<()> {
    let unsupported = unsupported_features(mode, &config.into());
    let mut features: Vec<String> = Vec::new();
    for UnsupportedFeature { feature, .. } in unsupported {
        if !features.contains(&feature) {
            features.push(feature);
        }
    }
    if with_files && is_enabled(&config.file_upload) {
        features.push("files".to_owned());
    }
    if features.is_empty() {
        return Ok(());
    }
    let message = format!("This app uses {}, which this service does not support.", name_list(&features));
    Err(Error::new(Code::AppUnavailable, message))
}

/// Every feature that an app asks for and that is not supported here.
pub(crate) fn unsupported_features(mode: AppMode, config: &CheckedConfig<'_>) -> Vec<UnsupportedFeature> {
    let mut found = unsupported_tools(mode, config.agent_mode);
    found.extend(datasets(config));
    found.extend(external_variables(config));
    if let Some(kind) = moderation::lacking_kind(config.sensitive_word_avoidance) {
        found.push(UnsupportedFeature::new("sensitive_word_avoidance", format!("moderation by `{kind}`")));
    }
    found
}

/// Whether `{"enabled": true}`, or Dify's older `{"image": {"enabled": true}}`.
pub(crate) fn is_enabled(feature: &Value) -> bool {
    let on = |value: Option<&Value>| value.and_then(Value::as_bool) == Some(true);
    on(feature.get("enabled")) || on(feature.pointer("/image/enabled"))
}

/// The tools of the agent. Those switched off do not count, and an agent that is off has none.
fn unsupported_tools(mode: AppMode, agent_mode: &Value) -> Vec<UnsupportedFeature> {
    if mode != AppMode::AgentChat && !is_enabled(agent_mode) {
        return Vec::new();
    }
    let tools = agent_mode.get("tools").and_then(Value::as_array).into_iter().flatten().enumerate();
    let unsupported = tools.filter_map(|(at, tool)| {
        let place = format!("agent_mode.tools[{at}]");
        // New ones are `{"tool_name", "enabled", …}`, old ones `{"google_search": {"enabled", …}}`.
        let (name, enabled) = if let Some(name) = tool.get("tool_name").and_then(Value::as_str) {
            (name, tool.get("enabled") != Some(&Value::Bool(false)))
        } else {
            let (name, settings) = tool.as_object()?.iter().next()?;
            (name.as_str(), name != "dataset" && is_enabled(settings))
        };
        enabled.then(|| UnsupportedFeature::new(place, format!("the tool `{name}`")))
    });
    unsupported.collect()
}

/// Knowledge retrieval: older apps have their datasets among the tools of an agent, which may itself be off.
fn datasets(config: &CheckedConfig<'_>) -> Vec<UnsupportedFeature> {
    let places = [
        ("agent_mode.tools", config.agent_mode.get("tools")),
        ("dataset_configs.datasets.datasets", config.dataset_configs.pointer("/datasets/datasets")),
    ];
    let items = places.into_iter().flat_map(|(place, items)| {
        items.and_then(Value::as_array).into_iter().flatten().enumerate().map(move |(at, item)| (place, at, item))
    });
    let enabled = items.filter(|(_, _, item)| item.get("dataset").is_some_and(is_enabled));
    enabled.map(|(place, at, _)| UnsupportedFeature::new(format!("{place}[{at}]"), "knowledge retrieval")).collect()
}

/// Variables that an external tool fills: of the app, and of its form.
fn external_variables(config: &CheckedConfig<'_>) -> Vec<UnsupportedFeature> {
    let feature = |place: String, tool: &Value| {
        let name = tool.get("variable").and_then(Value::as_str).unwrap_or_default();
        UnsupportedFeature::new(place, format!("the external data tool `{name}`"))
    };
    let tools = config.external_data_tools.as_array().into_iter().flatten().enumerate();
    let enabled = tools.filter(|(_, tool)| is_enabled(tool));
    let mut found: Vec<_> = enabled.map(|(at, tool)| feature(format!("external_data_tools[{at}]"), tool)).collect();
    for (at, row) in config.user_input_form.as_array().into_iter().flatten().enumerate() {
        let field = row.get("external_data_tool").filter(|field| field.get("enabled") != Some(&Value::Bool(false)));
        found.extend(field.map(|field| feature(format!("user_input_form[{at}]"), field)));
    }
    found
}

/// Names come out of DSL files.
fn shortened(feature: &str) -> String {
    feature.chars().filter(|symbol| !is_unprintable(*symbol)).take(120).collect()
}
