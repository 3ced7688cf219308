//! Chat, completion and agent-chat apps: one prompt, one answer.
//!
//! Agents run without tools. Their answer is sent as `agent_message`, between two `agent_thought` events.

pub(crate) mod check;
pub(crate) mod events;
pub(super) mod moderation;
mod prompt;
pub(super) mod template;
#[cfg(test)]
pub(super) mod tests;

use std::time::{Duration, Instant};

use self::{events::PromptAppEvents, moderation::Moderation, prompt::PromptValues};
use super::{
    model::{ModelChunk, ModelError, Models, Prompt, PromptMessage, Usage, prompt::add_images},
    run_input::RunInput,
};
use crate::{
    domain::{Error, Result, app::ModelConfig},
    ports::runtime::{RunEvent, RunEvents},
};
use futures_util::StreamExt;
use serde_json::Value;

/// An app whose prompt is ready to be sent.
#[derive(Debug)]
pub(crate) struct PromptApp {
    prompt: Prompt,
    moderation: Moderation,
    /// Replaces the model's answer, because an input contains a sensitive word.
    preset_answer: Option<String>,
    /// The opening statement of the conversation.
    introduction: String,
}

/// An answer, complete or not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub text: String,
    /// Reported by the model, else estimated.
    pub usage: Usage,
    reported_usage: Option<Usage>,
    /// Whether the model accepted the prompt.
    prompt_accepted: bool,
    /// From the start to the first chunk.
    pub first_chunk: Option<Duration>,
    /// From the start to the end.
    pub latency: Duration,
    /// Whether a part of it was sent. An earlier error is an error response, a later one an event.
    pub begun: bool,
}

/// Why an answer is incomplete.
#[derive(Debug)]
pub(crate) enum AnswerError {
    Model(ModelError),
    Stopped,
    ClientDisconnected,
    TimedOut,
    ServerStopping,
    Internal(Error),
}

impl PromptApp {
    /// Renders the prompt. Returns `app_unavailable` when the app needs a feature that is not supported here.
    ///
    /// `introduction` is the opening statement of the conversation that continues; `None` starts a conversation.
    pub(crate) fn new(
        input: &RunInput,
        config: &ModelConfig,
        introduction: Option<String>,
        history: &[PromptMessage],
    ) -> Result<Self> {
        let RunInput { mode, inputs, form, query, .. } = input;
        check::check(input, config)?;
        let query = query.as_deref().unwrap_or_default();
        let introduction = match introduction {
            Some(introduction) => introduction,
            None => prompt::opening_statement(config, inputs, form)?,
        };
        let values = PromptValues { inputs, form, query, history };
        let mut prompt = prompt::prompt(*mode, config, values)?;
        let detail = config.file_upload.pointer("/image/detail").and_then(Value::as_str);
        add_images(&mut prompt.messages, input.images.of_files(&input.files, detail));
        let moderation = Moderation::from_config(&config.sensitive_word_avoidance);
        Ok(Self {
            prompt,
            preset_answer: moderation.check_inputs(inputs, query).map(str::to_owned),
            moderation,
            introduction,
        })
    }

    /// The opening statement of the conversation.
    pub(crate) fn introduction(&self) -> &str {
        &self.introduction
    }

    pub(crate) fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    /// Calls the model and sends the answer as it arrives. `answer` holds what has arrived, also when the future is
    /// dropped.
    pub(crate) async fn run(
        &self,
        models: &dyn Models,
        events: &PromptAppEvents,
        out: &RunEvents,
        answer: &mut Answer,
    ) -> Result<(), AnswerError> {
        let started = Instant::now();
        if let Some(preset) = &self.preset_answer {
            answer.text.clone_from(preset);
            return send(out, answer, events.message(preset)).await;
        }
        let mut chunks = models.stream(self.prompt.clone()).await.map_err(AnswerError::Model)?;
        answer.prompt_accepted = true;
        let mut has_thought = false;
        while let Some(chunk) = chunks.next().await {
            if chunk.is_ok() && !std::mem::replace(&mut has_thought, true) {
                send_thought(out, answer, events, "").await?;
            }
            match chunk.map_err(AnswerError::Model)? {
                ModelChunk::Usage(usage) => answer.reported_usage = Some(usage),
                // Dify reports no finish reason in apps without a graph.
                ModelChunk::Finish(_) => {}
                ModelChunk::Text(text) => {
                    answer.first_chunk.get_or_insert_with(|| started.elapsed());
                    answer.text.push_str(&text);
                    answer.latency = started.elapsed();
                    if let Some(preset) = self.moderation.check_output(&answer.text, text.len()) {
                        preset.clone_into(&mut answer.text);
                        send(out, answer, events.message_replace(preset)).await?;
                        break;
                    }
                    send(out, answer, events.message(&text)).await?;
                }
            }
        }
        answer.latency = started.elapsed();
        answer.usage = self.usage(answer);
        let thought = answer.text.clone();
        send_thought(out, answer, events, &thought).await
    }

    /// The usage of an answer, complete or not: as reported, else estimated. Zero when the model did not accept the
    /// prompt.
    pub(crate) fn usage(&self, answer: &Answer) -> Usage {
        match answer.reported_usage {
            Some(usage) => usage,
            None if answer.prompt_accepted => Usage::estimated(&self.prompt.messages, &answer.text),
            None => Usage::default(),
        }
    }
}

async fn send_thought(
    out: &RunEvents,
    answer: &mut Answer,
    events: &PromptAppEvents,
    thought: &str,
) -> Result<(), AnswerError> {
    match events.agent_thought(thought) {
        Some(event) => send(out, answer, event).await,
        None => Ok(()),
    }
}

async fn send(out: &RunEvents, answer: &mut Answer, event: Result<RunEvent>) -> Result<(), AnswerError> {
    out.send(Ok(event.map_err(AnswerError::Internal)?)).await.map_err(|_| AnswerError::ClientDisconnected)?;
    answer.begun = true;
    Ok(())
}
