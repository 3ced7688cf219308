//! Reads an answer event by event.

use std::{future::poll_fn, sync::Arc, time::Duration};

use async_openai::types::stream::StreamResponse;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;

use super::{
    error::{EndpointError, error_message},
    paced_body::ReadControl,
    settings::OpenAiSettings,
};
use crate::{
    domain::secret::Secret,
    runtime::builtin::model::{
        error::ModelError,
        stream::{ModelChunk, ModelStream},
        usage::Usage,
    },
};

/// Longest answer, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// Longest finish reason, in characters; the rest is cut off.
const MAX_FINISH_REASON: usize = 40;
/// Longest wait for the usage once the answer is complete.
const USAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// Events as the client crate yields them.
pub(super) type EventStream = StreamResponse<StreamEvent>;

/// The members of an event that are read. Endpoints differ in what they omit, so every member is optional.
#[derive(Debug, Deserialize)]
pub(super) struct StreamEvent {
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    usage: Option<TokenCounts>,
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Delta {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Debug, Deserialize)]
struct TokenCounts {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

pub(super) struct AnswerReader {
    events: EventStream,
    control: Arc<ReadControl>,
    first_byte_timeout: Duration,
    idle_timeout: Duration,
    key: Option<Secret>,
    /// Whether an event has arrived.
    begun: bool,
    /// Length of the answer so far, in bytes.
    length: usize,
    /// Whether the endpoint has sent a finish reason; after it only the usage may follow.
    finished: bool,
    finish_reason: Option<String>,
    usage: Option<Usage>,
    /// Whether no more events are read.
    ended: bool,
}

impl AnswerReader {
    pub(super) fn new(events: EventStream, control: Arc<ReadControl>, settings: &OpenAiSettings) -> Self {
        Self {
            events,
            control,
            first_byte_timeout: settings.first_byte_timeout,
            idle_timeout: settings.idle_timeout,
            key: settings.api_key.clone(),
            begun: false,
            length: 0,
            finished: false,
            finish_reason: None,
            usage: None,
            ended: false,
        }
    }

    pub(super) fn chunks(self) -> ModelStream {
        stream::unfold(self, |mut reader| async move { reader.next().await.map(|chunk| (chunk, reader)) }).boxed()
    }

    async fn next(&mut self) -> Option<Result<ModelChunk, ModelError>> {
        while !self.ended {
            let event = match self.next_event().await {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => return Some(Err(self.fail(error))),
            };
            if let Some(error) = &event.error {
                return Some(Err(self.fail(EndpointError::Reported(error_message(error)))));
            }
            // Some endpoints send the usage with every event; the last one is the sum. All zeros mean that the endpoint
            // does not count.
            let usage = event
                .usage
                .map(|TokenCounts { prompt_tokens, completion_tokens }| Usage { prompt_tokens, completion_tokens });
            self.usage = usage.filter(|usage| *usage != Usage::default()).or(self.usage);
            let mut text = String::new();
            // The request is for one choice.
            for choice in event.choices.unwrap_or_default().into_iter().take(1) {
                if let Some(reason) = choice.finish_reason {
                    self.finished = true;
                    self.finish_reason.get_or_insert_with(|| reason.chars().take(MAX_FINISH_REASON).collect());
                }
                let delta = choice.delta.unwrap_or(Delta { content: None, refusal: None });
                text.extend(delta.content.into_iter().chain(delta.refusal));
            }
            self.length += text.len();
            if self.length > MAX_ANSWER {
                return Some(Err(self.fail(EndpointError::TooLong)));
            }
            if !text.is_empty() {
                return Some(Ok(ModelChunk::Text(text)));
            }
        }
        self.ended = true;
        let reason = self.finish_reason.take().filter(|reason| !reason.is_empty());
        reason.map(ModelChunk::Finish).or_else(|| self.usage.take().map(ModelChunk::Usage)).map(Ok)
    }

    /// The next event; `None` at the end of a complete answer.
    async fn next_event(&mut self) -> Result<Option<StreamEvent>, EndpointError> {
        let limit = match (self.finished, self.begun) {
            (true, _) => self.idle_timeout.min(USAGE_TIMEOUT),
            (false, true) => self.idle_timeout,
            (false, false) => self.first_byte_timeout,
        };
        let (events, control) = (&mut self.events, &self.control);
        let next = poll_fn(|context| {
            let polled = events.poll_next_unpin(context);
            control.set_waiting(polled.is_pending());
            polled
        });
        match timeout(limit, next).await {
            Ok(Some(Ok(event))) => {
                self.begun = true;
                Ok(Some(event))
            }
            Ok(Some(Err(error))) => Err(EndpointError::from_client(error, self.control.take_error())),
            Ok(None) if self.finished || self.control.is_done() => Ok(None),
            Ok(None) => Err(EndpointError::Truncated(None)),
            Err(_) if self.finished => Ok(None),
            Err(_) => Err(EndpointError::TimedOut),
        }
    }

    fn fail(&mut self, error: EndpointError) -> ModelError {
        self.ended = true;
        (self.finish_reason, self.usage) = (None, None);
        error.into_model_error(self.key.as_ref())
    }
}
