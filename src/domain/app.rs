//! Apps: what can be run, and what running it takes.

pub mod description;
pub mod file;
pub mod form;
pub mod membership;
pub mod stored;
pub mod summary;

use serde_json::Value;

use super::id::{AppId, ModelConfigId, WorkflowId, WorkspaceId};

/// The modes that can be listed, described and run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AppMode {
    /// A prompt with memory.
    Chat,
    /// A chat that reasons; without tools here.
    AgentChat,
    /// A graph that answers in a conversation.
    AdvancedChat,
    /// A prompt without memory.
    Completion,
    /// A graph that ends with outputs.
    Workflow,
}

impl AppMode {
    /// Every mode.
    pub const ALL: &[Self] = &[Self::Chat, Self::AgentChat, Self::AdvancedChat, Self::Completion, Self::Workflow];

    /// Its spelling in `apps.mode` and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::AgentChat => "agent-chat",
            Self::AdvancedChat => "advanced-chat",
            Self::Completion => "completion",
            Self::Workflow => "workflow",
        }
    }

    /// The mode of this spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mode| mode.as_str() == text)
    }

    /// Whether a run takes a query and belongs to a conversation.
    pub const fn is_chat(self) -> bool {
        matches!(self, Self::Chat | Self::AgentChat | Self::AdvancedChat)
    }

    /// Whether a run follows a published graph.
    pub const fn has_graph(self) -> bool {
        matches!(self, Self::AdvancedChat | Self::Workflow)
    }
}

/// A row of `apps`, as running and describing it need.
#[derive(Clone, Debug)]
pub struct App {
    /// Its id.
    pub id: AppId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// What kind it is.
    pub mode: AppMode,
    /// Runs at the same time at most; `None` and 0 are unlimited.
    pub max_active_requests: Option<u32>,
}

/// What an app does: a model configuration, or a published graph.
#[derive(Clone, Debug)]
pub enum Definition {
    /// Chat, agent-chat and completion.
    Model(Box<ModelConfig>),
    /// Advanced-chat and workflow.
    Workflow(Box<Workflow>),
}

/// A row of `app_model_configs`: its JSON columns parsed, null where empty or unreadable.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// Its id.
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
    /// What the app says first.
    pub opening_statement: String,
    /// Questions offered with it.
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
    /// Where knowledge is looked up: `{"datasets": {"datasets": [{"dataset": {"enabled", "id"}}]}, …}`.
    pub dataset_configs: Value,
    /// Variables that an external tool fills.
    pub external_data_tools: Value,
    /// What may be uploaded.
    pub file_upload: Value,
}

/// A published row of `workflows`.
#[derive(Clone, Debug)]
pub struct Workflow {
    /// Its id.
    pub id: WorkflowId,
    /// Its version: a date, as Dify writes it.
    pub version: String,
    /// `{"nodes": […], "edges": […]}`.
    pub graph: Value,
    /// Opening statement, file upload and the like.
    pub features: Value,
    /// `[{"name", "value_type", "value"}]`, or null.
    pub environment_variables: Value,
    /// `[{"name", "value_type", "value"}]`: defaults of the variables a conversation keeps.
    pub conversation_variables: Value,
}

/// A model provider's name in full: DSL files from before plugins say `openai` where later ones say
/// `langgenius/openai/openai`.
pub fn full_provider(provider: &str) -> String {
    if provider.contains('/') { provider.to_owned() } else { format!("langgenius/{provider}/{provider}") }
}
