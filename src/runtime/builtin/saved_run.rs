//! A run that waits for a form, as it is stored: its request and what is kept of the engine.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    engine::pause::{Pause, PausedEngine},
    json::JsonObject,
    model::image::StoredImage,
    run_input::{PreparedRun, RunIds},
};
use crate::domain::{
    Code, Error, Result,
    conversation::ExternalUser,
    human_form::{FormTokenHash, StoredHumanForm},
    id::{AccountId, AgentThoughtId, ConversationId, FileId, MessageId, TaskId, WorkflowId, WorkflowRunId},
};

/// Limit of what is kept of a run, in bytes.
const MAX_STATE: usize = 8 << 20;

/// The request of a run, and what is kept of its engine.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedRun {
    pub user: String,
    /// Absent in what earlier versions have stored: such a run uses shared connections only.
    #[serde(default)]
    account: Option<Uuid>,
    issuer: Option<String>,
    pub inputs: JsonObject,
    pub query: Option<String>,
    pub auto_generate_name: bool,
    /// The conversation that continues.
    pub continued: Option<Uuid>,
    /// Conversation, message, task, run and thought.
    ids: [Uuid; 5],
    /// The uploads that models may see, by id.
    uploads: HashMap<Uuid, StoredImage>,
    pub system: JsonObject,
    pub began_at: DateTime<Utc>,
    pub engine: PausedEngine,
}

impl SavedRun {
    pub(super) fn parse(state: &str) -> Result<Self> {
        serde_json::from_str(state).map_err(Error::internal)
    }

    pub(super) fn uploads(&self) -> HashMap<FileId, StoredImage> {
        self.uploads.iter().map(|(id, image)| (FileId(*id), image.clone())).collect()
    }

    pub(super) fn account(&self) -> Option<AccountId> {
        self.account.map(AccountId)
    }

    pub(super) fn external_user(&self) -> Option<ExternalUser> {
        let issuer = self.issuer.clone()?;
        Some(ExternalUser { email: self.user.clone(), issuer })
    }

    pub(super) fn ids(&self) -> RunIds {
        let [conversation, message, task, workflow_run, agent_thought] = self.ids;
        RunIds {
            conversation: ConversationId(conversation),
            message: MessageId(message),
            task: TaskId(task),
            workflow_run: WorkflowRunId(workflow_run),
            agent_thought: AgentThoughtId(agent_thought),
        }
    }
}

/// A run that pauses, as it is stored.
pub(super) struct PausedRun {
    pub form: StoredHumanForm,
    pub token: FormTokenHash,
    /// JSON of a [`SavedRun`].
    pub state: String,
}

/// When a run began and when it pauses.
#[derive(Clone, Copy, Debug)]
pub(super) struct PauseTimes {
    pub began_at: DateTime<Utc>,
    pub now: DateTime<Utc>,
}

impl PausedRun {
    /// Fails when what is kept of the run is too large.
    pub(super) fn new(
        prepared: &PreparedRun,
        system: &JsonObject,
        workflow_id: WorkflowId,
        pause: Pause,
        times: PauseTimes,
    ) -> Result<Self> {
        let Pause { engine, form: required } = pause;
        let (ids, end_user) = (prepared.ids, &prepared.end_user);
        let saved = SavedRun {
            user: end_user.user.clone(),
            account: prepared.account.map(|account| account.0),
            issuer: end_user.issuer.clone(),
            inputs: prepared.input.inputs.clone(),
            query: prepared.input.query.clone(),
            auto_generate_name: prepared.input.auto_generate_name,
            continued: prepared.conversation.as_ref().map(|_| ids.conversation.0),
            ids: [ids.conversation.0, ids.message.0, ids.task.0, ids.workflow_run.0, ids.agent_thought.0],
            uploads: prepared.input.images.uploads().iter().map(|(id, image)| (id.0, image.clone())).collect(),
            system: system.clone(),
            began_at: times.began_at,
            engine,
        };
        let state = serde_json::to_string(&saved).map_err(Error::internal)?;
        if state.len() > MAX_STATE {
            let message = "The variables of this run are too large to wait for a form.";
            return Err(Error::new(Code::UpstreamError, message));
        }
        let form = StoredHumanForm {
            id: required.id,
            app_id: end_user.app_id,
            workflow_id,
            run_id: ids.workflow_run,
            task_id: ids.task,
            owner: end_user.id(),
            form: serde_json::to_string(&required.form).map_err(Error::internal)?,
            created_at: times.now,
            expires_at: required.expires_at,
            resolved_at: None,
        };
        Ok(Self { form, token: required.token.hash(), state })
    }
}
