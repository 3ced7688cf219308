//! The node's data.

use serde::Deserialize;
use serde_json::Value;

use super::context::LlmContext;
use crate::runtime::builtin::{
    json::{JsonObject, flag, optional_count, or_default},
    model::image::PromptImage,
    nodes::{outcome::NodeError, template_transform::TemplateVariable},
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
    #[serde(default, deserialize_with = "or_default")]
    pub(super) vision: Vision,
    #[serde(default, deserialize_with = "flag")]
    structured_output_enabled: bool,
    #[serde(default)]
    structured_output: Option<StructuredOutput>,
    #[serde(default, deserialize_with = "or_default")]
    reasoning_format: ReasoningFormat,
}

impl LlmNodeData {
    /// The JSON schema of the answer; `None` for an answer that is a text.
    pub(super) fn output_schema(&self) -> Result<Option<&Value>, Box<NodeError>> {
        match self.structured_output.as_ref().filter(|_| self.structured_output_enabled) {
            None => Ok(None),
            Some(output) if output.schema.is_object() => Ok(Some(&output.schema)),
            Some(_) => Err(NodeError::new("LLMNodeError", "structured_output_schema must be a JSON object")),
        }
    }

    pub(super) fn separates_reasoning(&self) -> bool {
        self.reasoning_format == ReasoningFormat::Separated
    }
}

/// Whether the model sees images, and which.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Vision {
    #[serde(default, deserialize_with = "flag")]
    enabled: bool,
    #[serde(default, deserialize_with = "or_default")]
    configs: VisionConfigs,
}

#[derive(Debug, Default, Deserialize)]
struct VisionConfigs {
    /// `sys.files` without one.
    #[serde(default, deserialize_with = "or_default")]
    variable_selector: Selector,
    #[serde(default, deserialize_with = "or_default")]
    detail: String,
}

impl Vision {
    /// The images that the node shows to its model.
    pub(super) fn images(&self, context: &LlmContext<'_>) -> Vec<PromptImage> {
        if !self.enabled {
            return Vec::new();
        }
        let files = Selector::new(["sys", "files"]);
        let selector = if self.configs.variable_selector.is_empty() { &files } else { &self.configs.variable_selector };
        let detail = Some(self.configs.detail.as_str()).filter(|detail| !detail.is_empty());
        context.view.get(selector).map_or_else(Vec::new, |value| context.images.of(value, detail))
    }
}

#[derive(Debug, Deserialize)]
struct StructuredOutput {
    #[serde(default)]
    schema: Value,
}

/// Where a model's reasoning, `<think>…</think>`, is put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ReasoningFormat {
    /// It stays in the text.
    #[default]
    Tagged,
    /// It becomes an output of its own.
    Separated,
}

impl LlmNodeData {
    /// Checks that the templates of the prompt can be rendered here.
    pub(crate) fn check(&self) -> Result<(), String> {
        let lines = match &self.prompt_template {
            PromptTemplate::Chat(lines) => lines.as_slice(),
            PromptTemplate::Completion(line) => std::slice::from_ref(line),
        };
        let templates = lines.iter().filter(|line| line.edition_type == "jinja2");
        templates.filter_map(|line| line.jinja2_text.as_ref()).try_for_each(|template| {
            template.check().map_err(|error| format!("has a prompt template that cannot be rendered: {error}"))
        })
    }
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
    pub(super) jinja2_variables: Vec<TemplateVariable>,
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
    #[serde(default, deserialize_with = "flag")]
    pub(super) enabled: bool,
    /// Number of exchanges, each a query and its answer.
    #[serde(default, deserialize_with = "optional_count")]
    pub(super) size: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ContextConfig {
    #[serde(default, deserialize_with = "flag")]
    pub(super) enabled: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) variable_selector: Selector,
}

/// Messages for a chat model, one text for a completion model.
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
