//! The input of a run: the request without the app's definition, and what is read before the run starts.

use super::{json::JsonObject, model::PromptMessage, variables::value};
use crate::{
    domain::{
        Result,
        app::{
            AppMode,
            form::{FormVariable, VariableKind},
        },
        conversation::{Conversation, EndUser, NewConversation},
        id::{AgentThoughtId, ConversationId, MessageId, ModelConfigId, TaskId, WorkflowRunId},
    },
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
    pub has_files: bool,
    /// Names of the form's file variables that have a value.
    pub file_inputs: Vec<String>,
    /// Whether a new conversation is named after its first query.
    pub auto_generate_name: bool,
}

impl RunInput {
    /// Takes the members out of the request; its definition stays.
    pub(super) fn take_from(request: &mut RunRequest) -> Self {
        let file_inputs = file_inputs(request);
        Self {
            mode: request.app.mode,
            inputs: std::mem::take(&mut request.inputs),
            form: request.definition.variables().iter().map(|variable| variable.name.to_owned()).collect(),
            query: request.query.take(),
            has_files: !request.files.is_empty(),
            file_inputs,
            auto_generate_name: request.auto_generate_name,
        }
    }
}

fn file_inputs(request: &RunRequest) -> Vec<String> {
    let is_file = |variable: &&FormVariable<'_>| matches!(variable.kind, VariableKind::File | VariableKind::FileList);
    let has_value = |name: &&str| request.inputs.get(*name).is_some_and(|value| !value::is_falsy(value));
    let variables = request.definition.variables();
    variables.iter().filter(is_file).map(|variable| variable.name).filter(has_value).map(str::to_owned).collect()
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
    pub ids: RunIds,
    /// The conversation that continues, without its exchanges; `None` starts one.
    pub conversation: Option<Conversation>,
    /// The last exchanges of the conversation, oldest first.
    pub history: Vec<PromptMessage>,
}

impl PreparedRun {
    /// An estimate of the memory that the run takes besides its variables, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let inputs: usize = self.input.inputs.values().map(value::weight).sum();
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
