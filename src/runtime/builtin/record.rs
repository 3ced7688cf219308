//! What is kept of a run, and when.
//!
//! A run is stored once, when it is over and before its last event goes out: a caller who has seen the end finds the
//! conversation there, and a run whose end cannot be stored does not end well.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    Begun, Inner,
    model::{PromptMessage, PromptRole},
};
use crate::{
    domain::{
        Code, Error, Result,
        conversation::{NewConversation, RunRecord},
        id::ModelConfigId,
    },
    ports::runtime::{RunEvent, RunEvents},
};

/// How long the last events wait for a reader that has stopped reading and is still there.
const LAST_EVENT: Duration = Duration::from_mins(1);

impl Begun {
    /// What the conversation is begun with, unless it goes on.
    pub(super) fn begins(&self, introduction: &str, model_config_id: Option<ModelConfigId>) -> Option<NewConversation> {
        let asked = &self.asked;
        let named = asked.query.as_deref().filter(|_| asked.auto_generate_name && asked.mode.is_chat());
        self.conversation.is_none().then(|| NewConversation {
            name: NewConversation::name_of(named),
            introduction: introduction.to_owned(),
            model_config_id,
        })
    }
}

impl Inner {
    /// Stores a run, sends what was held back until then, and closes its stream.
    pub(super) async fn end(&self, record: RunRecord, last: Vec<Result<RunEvent>>, out: RunEvents) {
        let last = match self.base.sql.record_run(&record).await {
            Ok(()) => last,
            Err(error) => {
                // Whoever listens is told, and their door logs it; where nobody does, it is logged here.
                if out.is_closed() {
                    tracing::error!(error = %Cause(&error), "a run was not stored");
                }
                vec![Err(error)]
            }
        };
        for event in last {
            // Nobody has to be there any more, and nobody who does not read may hold the process up.
            let sending = tokio::select! {
                biased;
                sent = out.send(event) => sent.is_ok(),
                () = self.base.end.cancelled() => false,
                () = tokio::time::sleep(LAST_EVENT) => false,
            };
            if !sending {
                break;
            }
        }
    }
}

/// An error with its cause, for the log.
struct Cause<'a>(&'a Error);

impl std::fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match std::error::Error::source(self.0) {
            Some(cause) => write!(f, "{}: {cause}", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

/// The server stops: what a listener is told.
pub(super) fn stopping() -> Error {
    Error::new(Code::ServiceUnavailable, "The server is stopping.").with_retry_after(Duration::from_secs(5))
}

/// A prompt as Dify keeps it.
pub(super) fn kept_prompt(messages: &[PromptMessage]) -> Value {
    let kept = |message: &PromptMessage| {
        let role = match message.role {
            PromptRole::System => "system",
            PromptRole::User => "user",
            PromptRole::Assistant => "assistant",
        };
        json!({"role": role, "text": message.text, "files": []})
    };
    messages.iter().map(kept).collect()
}

/// Inputs and the system's variables, as Dify keeps them with a run.
pub(super) fn kept_inputs(inputs: &Map<String, Value>, system: &Map<String, Value>) -> Value {
    let system = system.iter().map(|(name, value)| (format!("sys.{name}"), value.clone()));
    Value::Object(inputs.clone().into_iter().chain(system).collect())
}
