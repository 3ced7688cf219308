//! The demo model, which needs no key: deterministic, and streamed word by word.
//!
//! The answer to a prompt that contains `Reply exactly: X` is X. All other prompts get a short echo of the last
//! message. A word is a token, in prompts and in answers.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::{
    error::ModelError,
    prompt::{Prompt, PromptMessage, PromptRole},
    stream::{ModelChunk, ModelStream},
    usage::Usage,
};

/// Requests an exact reply, in any case.
const REPLY_EXACTLY: &str = "reply exactly:";
/// Longest echo of a message, in characters.
const MAX_ECHO: usize = 200;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EchoModel {
    /// The delay before each word; zero: no delay.
    pub pace: Duration,
}

impl EchoModel {
    /// Answers without a task of its own. With a zero pace every chunk is ready when it is polled.
    pub(crate) fn stream(self, prompt: &Prompt) -> ModelStream {
        let answer = answer_to(&prompt.messages);
        let usage = Usage {
            prompt_tokens: prompt.messages.iter().map(|message| words(&message.text)).sum(),
            completion_tokens: words(&answer),
        };
        let end = stream::iter([Ok(ModelChunk::Usage(usage))]);
        let mut sent = 0;
        let words = stream::iter(std::iter::from_fn(move || {
            let rest = answer.get(sent..).filter(|rest| !rest.is_empty())?;
            let word = &rest[..first_word(rest)];
            sent += word.len();
            Some(Ok::<_, ModelError>(ModelChunk::Text(word.to_owned())))
        }));
        if self.pace.is_zero() {
            return words.chain(end).boxed();
        }
        let pace = self.pace;
        let paced = words.then(move |word| async move {
            tokio::time::sleep(pace).await;
            word
        });
        paced.chain(end).boxed()
    }
}

fn answer_to(messages: &[PromptMessage]) -> String {
    let last_user = messages.iter().rev().find(|message| message.role == PromptRole::User);
    let exact = last_user.into_iter().chain(messages.iter().rev()).find_map(|message| exact_reply(&message.text));
    if let Some(reply) = exact {
        return reply.to_owned();
    }
    let echoed = last_user.or(messages.last()).map_or("", |message| message.text.as_str());
    match echoed.lines().rev().map(str::trim).find(|line| !line.is_empty()) {
        Some(line) if line.chars().count() > MAX_ECHO => {
            format!("You said: {}…", line.chars().take(MAX_ECHO).collect::<String>())
        }
        Some(line) => format!("You said: {line}"),
        None => "You said nothing.".to_owned(),
    }
}

/// The X of `Reply exactly: X`: the rest of the message, trimmed. `None` when it is empty.
fn exact_reply(text: &str) -> Option<&str> {
    // ASCII lower case keeps byte positions.
    let place = text.to_ascii_lowercase().find(REPLY_EXACTLY)?;
    text.get(place + REPLY_EXACTLY.len()..).map(str::trim).filter(|reply| !reply.is_empty())
}

/// Length of the first word with the white space before it, in bytes. White space after the last word belongs to it.
fn first_word(text: &str) -> usize {
    let start = text.len() - text.trim_start().len();
    let end = text[start..].find(char::is_whitespace).map_or(text.len(), |length| start + length);
    if text[end..].trim().is_empty() { text.len() } else { end }
}

fn words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

#[cfg(test)]
mod tests;
