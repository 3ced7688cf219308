//! Chat, completion and agent-chat apps: one prompt, one answer.
//!
//! An agent without tools has nothing to think about in between, so that its answer comes as `agent_message` and no
//! `agent_thought` is made up.

mod check;
pub mod events;
mod moderation;
mod prompt;
mod template;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::sync::oneshot;

use self::{events::Events, moderation::Moderation, prompt::Said};
use super::{
    memory,
    model::{Chunk, ModelError, Models, Prompt, PromptMessage, Usage},
};
use crate::{
    domain::{Code, Error, Result, app::ModelConfig},
    ports::runtime::{RunEvent, RunEvents, RunRequest},
};

/// A run that is ready to ask its model.
#[derive(Debug)]
pub struct PromptApp {
    prompt: Prompt,
    moderation: Moderation,
    /// What is answered without asking the model: an input was sensitive.
    preset: Option<String>,
    /// What the app said first, in this conversation.
    pub introduction: String,
}

/// An answer, as far as it came.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// What was answered.
    pub text: String,
    /// What it took; counted here where the model does not tell.
    pub usage: Usage,
    /// From the beginning to the first chunk.
    pub first_chunk: Option<Duration>,
    /// From the beginning to the end.
    pub latency: Duration,
}

/// Why an answer ended before its end.
#[derive(Debug)]
pub enum Cause {
    /// The model failed.
    Model(ModelError),
    /// Nobody listens any more.
    Left,
    /// Something broke inside.
    Broken(Error),
}

/// Tells whoever started a run, once, whether it began: the first event is there, or there will be none.
///
/// What goes wrong before the first event has to be the answer to the request, and the model is asked for it anyway, so
/// that waiting for it costs a client nothing. It is not waited for without end: a model that thinks for long must not
/// keep the door from sending its head and pings.
#[derive(Debug)]
pub struct Opening(Option<oneshot::Sender<Result<()>>>);

impl Opening {
    /// A pair of ends.
    pub fn new() -> (Self, oneshot::Receiver<Result<()>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(sender)), receiver)
    }

    /// The first event is on its way.
    pub fn begun(&mut self) {
        if let Some(opening) = self.0.take() {
            // Whoever waited may have stopped waiting; they have the stream.
            let _ = opening.send(Ok(()));
        }
    }

    /// There will be no event. The failure comes back when it is too late for it to be the answer.
    pub fn failed(&mut self, failure: Error) -> Option<Error> {
        match self.0.take() {
            Some(opening) => opening.send(Err(failure)).err().and_then(Result::err),
            None => Some(failure),
        }
    }
}

impl PromptApp {
    /// Checks what the app asks for and writes its prompt. Nothing has run when this fails: `app_unavailable`.
    ///
    /// `introduction` is what the app said first when the conversation began; `None` begins one.
    pub fn new(
        run: &RunRequest,
        config: &ModelConfig,
        introduction: Option<String>,
        history: &[PromptMessage],
    ) -> Result<Self> {
        let mode = run.app.mode;
        check::check(mode, config, !run.files.is_empty())?;
        let form = check::form_variables(&config.user_input_form);
        let query = run.query.as_deref().unwrap_or_default();
        let introduction = introduction.unwrap_or_else(|| prompt::opening(config, &run.inputs, &form));
        // Completion apps greet nobody.
        let opening = if mode.is_chat() { introduction.as_str() } else { "" };
        let said = Said { inputs: &run.inputs, form: &form, query, opening, history };
        let moderation = Moderation::of(&config.sensitive_word_avoidance);
        Ok(Self {
            prompt: prompt::prompt(mode, config, said)?,
            preset: moderation.of_inputs(&run.inputs, query).map(str::to_owned),
            moderation,
            introduction,
        })
    }

    /// What the model is asked.
    pub fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    /// Asks the model and sends the answer as it comes; `answer` holds what came whenever this is dropped.
    pub async fn run(
        &self,
        models: &dyn Models,
        events: &Events,
        out: &RunEvents,
        opening: &mut Opening,
        answer: &mut Answer,
    ) -> Result<(), Cause> {
        let begun = Instant::now();
        if let Some(preset) = &self.preset {
            answer.text.clone_from(preset);
            return send(out, opening, events.message(preset)).await;
        }
        let mut chunks = models.stream(self.prompt.clone()).await.map_err(Cause::Model)?;
        let mut told = None;
        while let Some(chunk) = chunks.next().await {
            match chunk.map_err(Cause::Model)? {
                Chunk::Usage(usage) => told = Some(usage),
                Chunk::Text(text) => {
                    answer.first_chunk.get_or_insert_with(|| begun.elapsed());
                    answer.text.push_str(&text);
                    answer.latency = begun.elapsed();
                    if let Some(preset) = self.moderation.of_output(&answer.text, text.len()) {
                        preset.clone_into(&mut answer.text);
                        send(out, opening, events.message_replace(preset)).await?;
                        break;
                    }
                    send(out, opening, events.message(&text)).await?;
                }
            }
        }
        answer.latency = begun.elapsed();
        answer.usage = told.unwrap_or_else(|| self.counted(&answer.text));
        Ok(())
    }

    /// The usage of an answer whose model did not tell, or which ended early.
    pub fn counted(&self, answer: &str) -> Usage {
        Usage {
            prompt_tokens: self.prompt.messages.iter().map(|message| memory::tokens(&message.text)).sum(),
            completion_tokens: memory::tokens(answer),
        }
    }
}

async fn send(out: &RunEvents, opening: &mut Opening, event: Result<RunEvent>) -> Result<(), Cause> {
    out.send(Ok(event.map_err(Cause::Broken)?)).await.map_err(|_| Cause::Left)?;
    opening.begun();
    Ok(())
}

/// The failure of a model as the answer to a request.
pub fn model_failed(error: ModelError) -> Error {
    let failure = Error::new(Code::UpstreamError, error.message);
    match error.cause {
        Some(cause) => failure.caused_by(cause),
        None => failure,
    }
}
