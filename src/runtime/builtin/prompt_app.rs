//! Chat, completion and agent-chat apps: one prompt, one answer.
//!
//! An agent without tools has nothing to think about in between, so that its answer comes as `agent_message` and no
//! `agent_thought` is made up.

pub(crate) mod check;
pub(crate) mod events;
pub(super) mod moderation;
mod prompt;
pub(super) mod template;
#[cfg(test)]
pub(super) mod tests;

use std::time::{Duration, Instant};

use self::{events::PromptAppEvents, moderation::Moderation, prompt::Said};
use super::{
    model::{ModelChunk, ModelError, Models, Prompt, PromptMessage, Usage},
    run_input::RunInput,
};
use crate::{
    domain::{Error, Result, app::ModelConfig},
    ports::runtime::{RunEvent, RunEvents},
};
use futures_util::StreamExt;

/// A run that is ready to ask its model.
#[derive(Debug)]
pub(crate) struct PromptApp {
    prompt: Prompt,
    moderation: Moderation,
    /// What is answered without asking the model: an input was sensitive.
    preset: Option<String>,
    /// What the app said first, in this conversation.
    introduction: String,
}

/// An answer, as far as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// What was answered.
    pub text: String,
    /// What it took; counted here where the model does not tell.
    pub usage: Usage,
    /// What the model tells that it took.
    told: Option<Usage>,
    /// Whether the model took the prompt.
    asked: bool,
    /// From the beginning to the first chunk.
    pub first_chunk: Option<Duration>,
    /// From the beginning to the end.
    pub latency: Duration,
    /// Whether any of it was sent: what goes wrong before is an answer to the request, what goes wrong later an event.
    pub begun: bool,
}

/// Why an answer is incomplete.
#[derive(Debug)]
pub(crate) enum AnswerError {
    Model(ModelError),
    ClientDisconnected,
    TimedOut,
    ServerStopping,
    Internal(Error),
}

impl PromptApp {
    /// Checks what the app asks for and writes its prompt. Nothing has run when this fails: `app_unavailable`.
    ///
    /// `introduction` is what the app said first when the conversation began; `None` begins one.
    pub(crate) fn new(
        input: &RunInput,
        config: &ModelConfig,
        introduction: Option<String>,
        history: &[PromptMessage],
    ) -> Result<Self> {
        let RunInput { mode, inputs, form, query, has_files, .. } = input;
        check::check(*mode, config, *has_files)?;
        let query = query.as_deref().unwrap_or_default();
        let introduction = match introduction {
            Some(introduction) => introduction,
            None => prompt::opening(config, inputs, form)?,
        };
        // Completion apps greet nobody.
        let opening = if mode.is_chat() { introduction.as_str() } else { "" };
        let said = Said { inputs, form, query, opening, history };
        let moderation = Moderation::of(&config.sensitive_word_avoidance);
        Ok(Self {
            prompt: prompt::prompt(*mode, config, said)?,
            preset: moderation.of_inputs(inputs, query).map(str::to_owned),
            moderation,
            introduction,
        })
    }

    /// What the app said first, in this conversation.
    pub(crate) fn introduction(&self) -> &str {
        &self.introduction
    }

    /// What the model is asked.
    pub(crate) fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    /// Asks the model and sends the answer as it comes; `answer` holds what came whenever this is dropped.
    pub(crate) async fn run(
        &self,
        models: &dyn Models,
        events: &PromptAppEvents,
        out: &RunEvents,
        answer: &mut Answer,
    ) -> Result<(), AnswerError> {
        let begun = Instant::now();
        if let Some(preset) = &self.preset {
            answer.text.clone_from(preset);
            return send(out, answer, events.message(preset)).await;
        }
        let mut chunks = models.stream(self.prompt.clone()).await.map_err(AnswerError::Model)?;
        answer.asked = true;
        while let Some(chunk) = chunks.next().await {
            match chunk.map_err(AnswerError::Model)? {
                ModelChunk::Usage(usage) => answer.told = Some(usage),
                // Dify's apps without a graph have no place where they would tell it.
                ModelChunk::Finish(_) => {}
                ModelChunk::Text(text) => {
                    answer.first_chunk.get_or_insert_with(|| begun.elapsed());
                    answer.text.push_str(&text);
                    answer.latency = begun.elapsed();
                    if let Some(preset) = self.moderation.of_output(&answer.text, text.len()) {
                        preset.clone_into(&mut answer.text);
                        send(out, answer, events.message_replace(preset)).await?;
                        break;
                    }
                    send(out, answer, events.message(&text)).await?;
                }
            }
        }
        answer.latency = begun.elapsed();
        answer.usage = self.usage(answer);
        Ok(())
    }

    /// What an answer took, complete or not: what the model tells, else an estimate, and nothing where none was asked.
    pub(crate) fn usage(&self, answer: &Answer) -> Usage {
        let estimate =
            || if answer.asked { Usage::estimated(&self.prompt.messages, &answer.text) } else { Usage::default() };
        answer.told.unwrap_or_else(estimate)
    }
}

async fn send(out: &RunEvents, answer: &mut Answer, event: Result<RunEvent>) -> Result<(), AnswerError> {
    out.send(Ok(event.map_err(AnswerError::Internal)?)).await.map_err(|_| AnswerError::ClientDisconnected)?;
    answer.begun = true;
    Ok(())
}
