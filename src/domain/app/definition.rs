//! What an app does: a model configuration or a published graph, as Dify stores them.

use serde_json::Value;

use crate::domain::id::{ModelConfigId, WorkflowId};

/// What an app does.
#[derive(Clone, Debug)]
pub enum Definition {
    /// Chat, agent-chat and completion.
    Model(Box<ModelConfig>),
    /// Advanced-chat and workflow.
    Workflow(Box<Workflow>),
}

/// A row of `app_model_configs`. JSON columns are parsed; a column that is empty or not JSON is null.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    pub id: ModelConfigId,
    /// `{"provider", "name", "mode", "completion_params"}`.
    pub model: Value,
    /// The form: single-key maps such as `{"text-input": {"variable", …}}`.
    pub user_input_form: Value,
    /// The prompt template, with `{{variable}}`.
    pub pre_prompt: String,
    /// `simple` or `advanced`.
    pub prompt_type: String,
    /// The advanced prompt of a chat model: `{"prompt": [{"role", "text"}]}`.
    pub chat_prompt_config: Value,
    /// The advanced prompt of a completion model.
    pub completion_prompt_config: Value,
    /// The text that opens a conversation.
    pub opening_statement: String,
    /// Questions offered with the opening statement.
    pub suggested_questions: Value,
    /// `{"enabled"}`.
    pub suggested_questions_after_answer: Value,
    /// `{"enabled"}`.
    pub more_like_this: Value,
    /// `{"enabled"}`.
    pub speech_to_text: Value,
    /// `{"enabled", "voice", "language"}`.
    pub text_to_speech: Value,
    /// `{"enabled"}`.
    pub retriever_resource: Value,
    /// `{"enabled", "type", "configs"}`.
    pub sensitive_word_avoidance: Value,
    /// `{"enabled", "strategy", "tools", "prompt"}`.
    pub agent_mode: Value,
    /// Knowledge bases: `{"datasets": {"datasets": [{"dataset": {"enabled", "id"}}]}, …}`.
    pub dataset_configs: Value,
    /// Variables that an external tool fills.
    pub external_data_tools: Value,
    /// Kinds and numbers of files that can be uploaded.
    pub file_upload: Value,
}

/// A published row of `workflows`.
#[derive(Clone, Debug)]
pub struct Workflow {
    pub id: WorkflowId,
    /// The version's name: a date in Dify's format.
    pub version: String,
    /// `{"nodes": […], "edges": […]}`.
    pub graph: Value,
    /// Opening statement, file upload and the like.
    pub features: Value,
    /// `[{"name", "value_type", "value"}]`, or null.
    pub environment_variables: Value,
    /// `[{"name", "value_type", "value"}]`: defaults of the variables that a conversation keeps.
    pub conversation_variables: Value,
}

/// A model provider's full name. DSL files from before Dify's plugins write `openai` for
/// `langgenius/openai/openai`.
pub(crate) fn full_provider(provider: &str) -> String {
    if provider.contains('/') { provider.to_owned() } else { format!("langgenius/{provider}/{provider}") }
}
