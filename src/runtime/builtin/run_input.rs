//! The input of a run: the request without the app's definition, and what is read before the run starts.

use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{json::JsonObject, model::PromptMessage, run_images::RunImages, variables::value};
use crate::{
    domain::{
        Result,
        app::AppMode,
        conversation::{Conversation, EndUser, NewConversation},
        id::{AccountId, AgentThoughtId, ConversationId, MessageId, ModelConfigId, TaskId, WorkflowRunId},
    },
    memory::Owner,
    ports::{entropy::Entropy, runtime::RunRequest},
};

/// Bytes that every run takes: its tasks, its channels, what its connection has not written yet.
const BASE_BYTES: usize = 128 << 10;
/// Number of copies of the input that exist while a run runs: in prompts, in events, in rows about to be written.
const INPUT_COPIES: usize = 6;

/// The request, without the app's definition: that may be large, and a run that has started does not need it.
#[derive(Clone, Debug)]
pub(crate) struct RunInput {
    pub mode: AppMode,
    /// Values of the form's variables.
    pub inputs: JsonObject,
    /// Names of the form's variables, with or without a value.
    pub form: Vec<String>,
    pub query: Option<String>,
    /// `sys.files`.
    pub files: Vec<Value>,
    /// The images that models may see.
    pub images: Arc<RunImages>,
    /// Whether a new conversation is named after its first query.
    pub auto_generate_name: bool,
}

impl RunInput {
    /// Takes the members out of the request; its definition stays.
    pub(super) fn take_from(request: &mut RunRequest) -> Self {
        let owners = [Owner::of(&request.app.workspace_id.0), Owner::of(&request.app.id.0)];
        Self {
            mode: request.app.mode,
            inputs: std::mem::take(&mut request.inputs),
            form: request.definition.variables().iter().map(|variable| variable.name.to_owned()).collect(),
            query: request.query.take(),
            files: std::mem::take(&mut request.files),
            images: Arc::new(RunImages::new(std::mem::take(&mut request.uploads), owners)),
            auto_generate_name: request.auto_generate_name,
        }
    }
}

/// The ids of one run. Which of them are used depends on the app's mode.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunIds {
    pub conversation: ConversationId,
    pub message: MessageId,
    pub task: TaskId,
    pub workflow_run: WorkflowRunId,
    pub agent_thought: AgentThoughtId,
}

impl RunIds {
    /// Draws new ids; `conversation` is the id of the conversation that continues.
    pub(super) fn new(entropy: &dyn Entropy, conversation: Option<ConversationId>) -> Result<Self> {
        Ok(Self {
            conversation: conversation.map_or_else(|| entropy.uuid_v4().map(ConversationId), Ok)?,
            message: MessageId(entropy.uuid_v4()?),
            task: TaskId(entropy.uuid_v4()?),
            workflow_run: WorkflowRunId(entropy.uuid_v4()?),
            agent_thought: AgentThoughtId(entropy.uuid_v4()?),
        })
    }
}

/// A run before it starts.
pub(super) struct PreparedRun {
    pub input: RunInput,
    pub end_user: EndUser,
    /// The account that runs the app; `None` for an external identity.
    pub account: Option<AccountId>,
    pub ids: RunIds,
    /// The conversation that continues, without its exchanges; `None` starts one.
    pub conversation: Option<Conversation>,
    /// The last exchanges of the conversation, oldest first.
    pub history: Vec<PromptMessage>,
    /// Cancelled to stop the run.
    pub stop: CancellationToken,
}

impl PreparedRun {
    /// An estimate of the memory that the run takes besides its variables, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let files = self.input.files.iter();
        let inputs: usize = self.input.inputs.values().chain(files).map(value::weight).sum();
        let query = self.input.query.as_ref().map_or(0, String::len);
        let history: usize = self.history.iter().map(|message| message.text.len()).sum();
        BASE_BYTES + INPUT_COPIES * (inputs + query + history)
    }

    /// The conversation that the run starts; `None` when it continues one.
    pub(super) fn new_conversation(
        &self,
        introduction: &str,
        model_config_id: Option<ModelConfigId>,
    ) -> Option<NewConversation> {
        let input = &self.input;
        let named_after = input.query.as_deref().filter(|_| input.auto_generate_name && input.mode.is_chat());
        self.conversation.is_none().then(|| NewConversation {
            name: NewConversation::name_from_query(named_after),
            introduction: introduction.to_owned(),
            model_config_id,
        })
    }
}
