//! Finds features of an app that are not supported here, before a run and at import.

use serde_json::Value;

use super::moderation;
use crate::{
    domain::{
        Code, Error, Result,
        app::{AppMode, ModelConfig},
        text::is_unprintable,
    },
    runtime::builtin::{name_list::name_list, run_input::RunInput},
};

/// The members of a model configuration that may need features that are not supported here.
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

/// A feature that an app needs and that is not supported here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnsupportedFeature {
    /// The member of the configuration, such as `agent_mode.tools[1]`.
    pub place: String,
    /// The feature, such as "the tool `current_time`".
    pub feature: String,
}

impl UnsupportedFeature {
    fn new(place: impl Into<String>, feature: impl AsRef<str>) -> Self {
        Self { place: place.into(), feature: shortened(feature.as_ref()) }
    }
}

/// Returns `app_unavailable`, naming every feature that the app needs and that is not supported here.
pub(crate) fn check(input: &RunInput, config: &ModelConfig) -> Result<()> {
    let unsupported = unsupported_features(input.mode, &config.into());
    let mut features: Vec<String> = Vec::new();
    for UnsupportedFeature { feature, .. } in unsupported {
        if !features.contains(&feature) {
            features.push(feature);
        }
    }
    if features.is_empty() {
        return Ok(());
    }
    let message = format!("This app uses {}, which this service does not support.", name_list(&features));
    Err(Error::new(Code::AppUnavailable, message))
}

/// Every feature that an app needs and that is not supported here.
pub(crate) fn unsupported_features(mode: AppMode, config: &CheckedConfig<'_>) -> Vec<UnsupportedFeature> {
    let mut found = unsupported_tools(mode, config.agent_mode);
    found.extend(datasets(config));
    found.extend(external_variables(config));
    if let Some(kind) = moderation::unsupported_type(config.sensitive_word_avoidance) {
        found.push(UnsupportedFeature::new("sensitive_word_avoidance", format!("moderation by `{kind}`")));
    }
    found
}

/// Whether the feature is `{"enabled": true}`, or `{"image": {"enabled": true}}` as in older files.
pub(crate) fn is_enabled(feature: &Value) -> bool {
    let is_true = |value: Option<&Value>| value.and_then(Value::as_bool) == Some(true);
    is_true(feature.get("enabled")) || is_true(feature.pointer("/image/enabled"))
}

/// The enabled tools of an enabled agent.
fn unsupported_tools(mode: AppMode, agent_mode: &Value) -> Vec<UnsupportedFeature> {
    if mode != AppMode::AgentChat && !is_enabled(agent_mode) {
        return Vec::new();
    }
    let tools = agent_mode.get("tools").and_then(Value::as_array).into_iter().flatten().enumerate();
    let unsupported = tools.filter_map(|(at, tool)| {
        let place = format!("agent_mode.tools[{at}]");
        // `{"tool_name", "enabled", …}`, or `{"google_search": {"enabled", …}}` in older files.
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

/// Knowledge retrieval. In older files the datasets are tools of an agent, even of a disabled one.
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

/// A name of a DSL file, without unprintable characters and short enough for a sentence.
fn shortened(feature: &str) -> String {
    feature.chars().filter(|symbol| !is_unprintable(*symbol)).take(120).collect()
}
