//! The node's data.

use serde::Deserialize;

use crate::runtime::builtin::{
    json::{JsonObject, or_default},
    nodes::template_transform::Variable,
    template::TemplateSource,
    variables::{selector::Selector, text::TextTemplate},
};

#[derive(Debug, Deserialize)]
pub(crate) struct LlmNodeData {
    pub(super) model: LlmModel,
    pub(super) prompt_template: PromptTemplate,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) prompt_config: PromptConfig,
    #[serde(default)]
    pub(super) memory: Option<MemoryConfig>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) context: ContextConfig,
}

#[derive(Debug, Deserialize)]
pub(super) struct LlmModel {
    pub(super) provider: String,
    pub(super) name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) mode: LlmMode,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) completion_params: JsonObject,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LlmMode {
    #[default]
    Chat,
    Completion,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct PromptConfig {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) jinja2_variables: Vec<Variable>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MemoryConfig {
    #[serde(default)]
    pub(super) role_prefix: Option<RolePrefix>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) window: MemoryWindow,
    #[serde(default)]
    pub(super) query_prompt_template: Option<TextTemplate>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RolePrefix {
    pub(super) user: String,
    pub(super) assistant: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct MemoryWindow {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) enabled: bool,
    /// Exchanges, each a question and its answer.
    #[serde(default)]
    pub(super) size: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ContextConfig {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) enabled: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) variable_selector: Selector,
}

/// The node's prompt: lines for a chat model, one text for a completion model.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum PromptTemplate {
    Chat(Vec<PromptLine>),
    Completion(PromptLine),
}

#[derive(Debug, Deserialize)]
pub(super) struct PromptLine {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) role: String,
    #[serde(default)]
    pub(super) text: Option<TextTemplate>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) edition_type: String,
    #[serde(default)]
    pub(super) jinja2_text: Option<TemplateSource>,
}
