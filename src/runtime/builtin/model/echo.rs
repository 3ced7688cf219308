//! The keyless demo model: deterministic, and word by word.
//!
//! A prompt that says `Reply exactly: X` is answered with X; any other with a short echo of what was said last. A token is
//! a word, in the prompt and in the answer: that is what the answer is streamed by.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::{ModelChunk, ModelError, ModelStream, Prompt, PromptMessage, PromptRole, Usage};

/// What asks for an exact reply, in any case.
const REPLY_EXACTLY: &str = "reply exactly:";
/// Characters of the last line that are echoed at most.
const ECHOED: usize = 200;

/// The model.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EchoModel {
    /// The wait before each word; zero is no wait at all.
    pub pace: Duration,
}

impl EchoModel {
    /// Answers. Nothing is spawned, and without a pace nothing waits: the words are ready whenever they are asked for.
    pub(crate) fn stream(self, prompt: &Prompt) -> ModelStream {
        let answer = answer_to(&prompt.messages);
        let usage = Usage {
            prompt_tokens: prompt.messages.iter().map(|message| words(&message.text)).sum(),
            completion_tokens: words(&answer),
        };
        let end = stream::iter([Ok(ModelChunk::Usage(usage))]);
        let mut told = 0;
        let pieces = stream::iter(std::iter::from_fn(move || {
            let rest = answer.get(told..).filter(|rest| !rest.is_empty())?;
            let piece = &rest[..first_piece(rest)];
            told += piece.len();
            Some(Ok::<_, ModelError>(ModelChunk::Text(piece.to_owned())))
        }));
        if self.pace.is_zero() {
            return pieces.chain(end).boxed();
        }
        let pace = self.pace;
        let paced = pieces.then(move |piece| async move {
            tokio::time::sleep(pace).await;
            piece
        });
        paced.chain(end).boxed()
    }
}

/// What is answered to a prompt.
fn answer_to(messages: &[PromptMessage]) -> String {
    let last_user = messages.iter().rev().find(|message| message.role == PromptRole::User);
    let exactly = last_user.into_iter().chain(messages.iter().rev()).find_map(|message| exact_reply(&message.text));
    if let Some(reply) = exactly {
        return reply.to_owned();
    }
    let said = last_user.or(messages.last()).map_or("", |message| message.text.as_str());
    match said.lines().rev().map(str::trim).find(|line| !line.is_empty()) {
        Some(line) if line.chars().count() > ECHOED => {
            format!("You said: {}…", line.chars().take(ECHOED).collect::<String>())
        }
        Some(line) => format!("You said: {line}"),
        None => "You said nothing.".to_owned(),
    }
}

/// The X of `Reply exactly: X`: the rest of the message, trimmed, if there is any.
fn exact_reply(text: &str) -> Option<&str> {
    // ASCII lower case changes no byte positions.
    let place = text.to_ascii_lowercase().find(REPLY_EXACTLY)?;
    text.get(place + REPLY_EXACTLY.len()..).map(str::trim).filter(|reply| !reply.is_empty())
}

/// Bytes up to the end of the first word, with the white space before it; all of a text that ends in white space only.
fn first_piece(text: &str) -> usize {
    let start = text.len() - text.trim_start().len();
    let end = text[start..].find(char::is_whitespace).map_or(text.len(), |length| start + length);
    if text[end..].trim().is_empty() { text.len() } else { end }
}

fn words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

#[cfg(test)]
mod tests;
