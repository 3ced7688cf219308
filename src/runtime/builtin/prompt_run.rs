//! One run of an app without a graph: calls the model, forwards its answer, and stores the message.

use std::time::Instant;

use chrono::{DateTime, Utc};

use super::{
    events::message::MessageMetadata,
    json::JsonObject,
    model::prompt::messages_json,
    prompt_app::{Answer, AnswerError, PromptApp, events::PromptAppEvents},
    run_context::RunContext,
    run_input::PreparedRun,
    run_store::{server_stopping, store_and_finish},
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

/// A run of an app without a graph that is ready to start.
pub(super) struct PromptRun {
    prepared: PreparedRun,
    app: PromptApp,
    events: PromptAppEvents,
    config_id: ModelConfigId,
    started: Instant,
    began_at: DateTime<Utc>,
}

impl PromptRun {
    /// Fails as [`PromptApp::new`] does.
    pub(super) fn new(context: &RunContext, prepared: PreparedRun, config: &ModelConfig) -> Result<Self> {
        let introduction = prepared.conversation.as_ref().map(|conversation| conversation.introduction.clone());
        let app = PromptApp::new(&prepared.input, config, introduction, &prepared.history)?;
        let began_at = context.dependencies.clock.now();
        let (ids, mode) = (prepared.ids, prepared.input.mode);
        let events = PromptAppEvents::new(
            mode,
            ids.conversation,
            ids.message,
            (ids.task, ids.agent_thought),
            began_at.timestamp(),
        );
        Ok(Self { prepared, app, events, config_id: config.id, started: Instant::now(), began_at })
    }

    /// Streams the answer, stores the run, and sends the last event.
    pub(super) async fn run(self, context: &RunContext, out: RunEvents) {
        let dependencies = &context.dependencies;
        let run_timeout = context.limits.run_timeout;
        let mut answer = Answer::default();
        let result = tokio::select! {
            biased;
            result = self.app.run(&*dependencies.models, &self.events, &out, &mut answer) => result,
            () = out.closed() => Err(AnswerError::ClientDisconnected),
            () = self.prepared.stop.cancelled() => Err(AnswerError::Stopped),
            () = dependencies.shutdown.cancelled() => Err(AnswerError::ServerStopping),
            () = tokio::time::sleep(run_timeout) => Err(AnswerError::TimedOut),
        };
        if result.is_err() {
            answer.latency = self.started.elapsed();
            answer.usage = self.app.usage(&answer);
        }
        let usage = answer.usage.block(answer.latency, answer.first_chunk);
        let metadata = MessageMetadata::with_annotation_reply(usage);
        let (ending, last) = self.ending(result, answer.begun, &metadata, run_timeout.as_secs());
        match self.record(answer, ending, &metadata, dependencies.clock.now()) {
            Ok(record) => store_and_finish(dependencies, record, vec![last], out).await,
            Err(error) => _ = out.send(Err(error)).await,
        }
    }

    /// The stored ending, and the last item of the stream.
    fn ending(
        &self,
        result: Result<(), AnswerError>,
        answer_begun: bool,
        metadata: &MessageMetadata,
        timeout_seconds: u64,
    ) -> (Ending, Result<RunEvent>) {
        match result {
            Ok(()) => (Ending::Succeeded, self.events.message_end(metadata)),
            Err(AnswerError::Model(error)) => {
                let full_message = error.to_string();
                if answer_begun {
                    let last = self.events.model_failed(&full_message);
                    return (Ending::Failed(full_message), last);
                }
                // This becomes an error response of its own. The endpoint's words are its source, for the log.
                let upstream = Error::new(Code::UpstreamError, error.message.clone()).with_source(error);
                (Ending::Failed(full_message), Err(upstream))
            }
            // Dify ends the answer of a stopped run as any other.
            Err(AnswerError::Stopped) => {
                (Ending::Stopped("The run was stopped.".to_owned()), self.events.message_end(metadata))
            }
            Err(AnswerError::ClientDisconnected) => {
                (Ending::Stopped("The client disconnected.".to_owned()), Err(server_stopping()))
            }
            Err(AnswerError::ServerStopping) => {
                (Ending::Stopped("The server stopped.".to_owned()), Err(server_stopping()))
            }
            Err(AnswerError::TimedOut) => {
                let message = format!("The run took longer than {timeout_seconds} seconds.");
                (Ending::Failed(message.clone()), Err(Error::new(Code::UpstreamTimeout, message)))
            }
            Err(AnswerError::Internal(error)) => (Ending::Failed(error.message().to_owned()), Err(error)),
        }
    }

    fn record(
        self,
        answer: Answer,
        ending: Ending,
        metadata: &MessageMetadata,
        ended_at: DateTime<Utc>,
    ) -> Result<RunRecord> {
        let (prepared, prompt) = (&self.prepared, self.app.prompt());
        let message = MessageRecord {
            id: prepared.ids.message,
            conversation_id: prepared.ids.conversation,
            begins: prepared.new_conversation(self.app.introduction(), Some(self.config_id)),
            model: Some(ModelName { provider: prompt.provider.clone(), name: prompt.model.clone() }),
            query: prepared.input.query.clone().unwrap_or_default(),
            prompt: messages_json(&prompt.messages),
            answer: answer.text,
            prompt_tokens: answer.usage.prompt_tokens,
            completion_tokens: answer.usage.completion_tokens,
            latency: answer.latency,
            metadata: serde_json::to_value(metadata).map_err(Error::internal)?,
            variables: JsonObject::new(),
        };
        Ok(RunRecord {
            mode: prepared.input.mode,
            ending,
            began_at: self.began_at,
            ended_at,
            message: Some(message),
            workflow_run: None,
            inputs: self.prepared.input.inputs,
            end_user: self.prepared.end_user,
        })
    }
}
