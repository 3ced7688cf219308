//! One run of a prompt app, from its first word to its row.

use std::time::Instant;

use chrono::{DateTime, Utc};

use super::{
    Begun, Inner,
    prompt_app::{
        Answer, Cause, PromptApp,
        events::{Events, Metadata},
    },
    record::{kept_prompt, stopping},
};
use crate::{
    domain::{
        Code, Error, Result,
        app::ModelConfig,
        conversation::{Ending, MessageRecord, ModelName, RunRecord},
        id::ModelConfigId,
    },
    ports::runtime::{RunEvent, RunEvents},
};

/// A run that can begin.
pub(super) struct PromptRun {
    begun: Begun,
    app: PromptApp,
    events: Events,
    config_id: ModelConfigId,
    began: Instant,
    began_at: DateTime<Utc>,
}

impl PromptRun {
    /// Fails as [`PromptApp::new`] does.
    pub(super) fn new(inner: &Inner, begun: Begun, config: &ModelConfig) -> Result<Self> {
        let introduction = begun.conversation.as_ref().map(|conversation| conversation.introduction.clone());
        let app = PromptApp::new(&begun.asked, config, introduction, &begun.history)?;
        let began_at = inner.base.clock.now();
        let ids = begun.ids;
        let events = Events::new(begun.asked.mode, ids.conversation, ids.message, ids.task, began_at.timestamp());
        Ok(Self { begun, app, events, config_id: config.id, began: Instant::now(), began_at })
    }

    /// Answers, stores, and tells the end.
    pub(super) async fn run(self, inner: &Inner, out: RunEvents) {
        let mut answer = Answer::default();
        let ended = tokio::select! {
            biased;
            ended = self.app.run(&*inner.base.models, &self.events, &out, &mut answer) => ended,
            () = out.closed() => Err(Cause::Left),
            () = inner.base.end.cancelled() => Err(Cause::Stopping),
            () = tokio::time::sleep(inner.limits.run) => Err(Cause::Late),
        };
        if ended.is_err() {
            answer.latency = self.began.elapsed();
            answer.usage = self.app.usage(&answer);
        }
        let metadata = Metadata::from(answer.usage.block(answer.latency, answer.first_chunk));
        let (ending, last) = self.ending(ended, answer.begun, &metadata, inner.limits.run.as_secs());
        match self.record(inner, answer, ending, &metadata) {
            Ok(record) => inner.end(record, vec![last], out).await,
            Err(error) => _ = out.send(Err(error)).await,
        }
    }

    /// How it ended, and what is told last.
    fn ending(
        &self,
        ended: Result<(), Cause>,
        begun: bool,
        metadata: &Metadata,
        seconds: u64,
    ) -> (Ending, Result<RunEvent>) {
        match ended {
            Ok(()) => (Ending::Succeeded, self.events.message_end(metadata)),
            Err(Cause::Model(error)) => {
                let whole = error.to_string();
                if begun {
                    let last = self.events.model_failed(&whole);
                    return (Ending::Failed(whole), last);
                }
                // An answer with a status of its own: what the endpoint said is for the log.
                let failure = Error::new(Code::UpstreamError, error.message.clone()).with_source(error);
                (Ending::Failed(whole), Err(failure))
            }
            Err(Cause::Left) => (Ending::Stopped("The client disconnected.".to_owned()), Err(stopping())),
            Err(Cause::Stopping) => (Ending::Stopped("The server stopped.".to_owned()), Err(stopping())),
            Err(Cause::Late) => {
                let message = format!("The run took longer than {seconds} seconds.");
                (Ending::Failed(message.clone()), Err(Error::new(Code::UpstreamTimeout, message)))
            }
            Err(Cause::Broken(error)) => (Ending::Failed(error.message().to_owned()), Err(error)),
        }
    }

    fn record(self, inner: &Inner, answer: Answer, ending: Ending, metadata: &Metadata) -> Result<RunRecord> {
        let (begun, prompt) = (&self.begun, self.app.prompt());
        let message = MessageRecord {
            id: begun.ids.message,
            conversation_id: begun.ids.conversation,
            begins: begun.begins(self.app.introduction(), Some(self.config_id)),
            model: Some(ModelName { provider: prompt.provider.clone(), name: prompt.model.clone() }),
            query: begun.asked.query.clone().unwrap_or_default(),
            prompt: kept_prompt(&prompt.messages),
            answer: answer.text,
            prompt_tokens: answer.usage.prompt_tokens,
            completion_tokens: answer.usage.completion_tokens,
            latency: answer.latency,
            metadata: serde_json::to_value(metadata).map_err(Error::internal)?,
            variables: serde_json::Map::new(),
        };
        Ok(RunRecord {
            mode: begun.asked.mode,
            ending,
            began_at: self.began_at,
            ended_at: inner.base.clock.now(),
            message: Some(message),
            workflow_run: None,
            inputs: self.begun.asked.inputs,
            end_user: self.begun.end_user,
        })
    }
}
