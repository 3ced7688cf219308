//! Reads an answer event by event.

use std::{future::poll_fn, sync::Arc, time::Duration};

use async_openai::types::stream::StreamResponse;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;

use super::{
    body::Flow,
    fault::{EndpointError, reported},
};
use crate::{
    domain::secret::Secret,
    runtime::builtin::model::{ModelChunk, ModelError, ModelStream, Usage},
};

/// Bytes of one answer at most.
const ANSWER_LIMIT: usize = 1 << 20;
/// Characters of the reason why an answer ends that are told at most.
const REASON_LIMIT: usize = 40;
/// What is waited for the usage once the answer is complete.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// Events as the client crate yields them.
pub(super) type Pieces = StreamResponse<Piece>;

/// One event, as far as it matters here. Endpoints differ in what they leave out, so that everything may be absent.
#[derive(Debug, Deserialize)]
pub(super) struct Piece {
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    usage: Option<Tokens>,
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
struct Tokens {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

/// An answer being read.
pub(super) struct Reading {
    pieces: Pieces,
    flow: Arc<Flow>,
    first_byte: Duration,
    idle: Duration,
    key: Option<Secret>,
    begun: bool,
    answered: usize,
    /// The endpoint has said why it stopped; only the usage may still come.
    finished: bool,
    reason: Option<String>,
    usage: Option<Usage>,
    over: bool,
}

impl Reading {
    pub(super) fn new(
        pieces: Pieces,
        flow: Arc<Flow>,
        first_byte: Duration,
        idle: Duration,
        key: Option<Secret>,
    ) -> Self {
        let (begun, answered, finished, reason, usage, over) = (false, 0, false, None, None, false);
        Self { pieces, flow, first_byte, idle, key, begun, answered, finished, reason, usage, over }
    }

    /// The answer as models give it.
    pub(super) fn chunks(self) -> ModelStream {
        stream::unfold(self, |mut reading| async move { reading.next().await.map(|chunk| (chunk, reading)) }).boxed()
    }

    async fn next(&mut self) -> Option<Result<ModelChunk, ModelError>> {
        while !self.over {
            let piece = match self.piece().await {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(fault) => return Some(Err(self.failed(fault))),
            };
            if let Some(error) = &piece.error {
                return Some(Err(self.failed(EndpointError::Reported(reported(error)))));
            }
            // Some tell it with every event; the last one is the sum. Nothing at all is what nobody counted.
            let told = piece
                .usage
                .map(|Tokens { prompt_tokens, completion_tokens }| Usage { prompt_tokens, completion_tokens });
            self.usage = told.filter(|usage| *usage != Usage::default()).or(self.usage);
            let mut text = String::new();
            // One choice was asked for.
            for choice in piece.choices.unwrap_or_default().into_iter().take(1) {
                if let Some(reason) = choice.finish_reason {
                    self.finished = true;
                    self.reason.get_or_insert_with(|| reason.chars().take(REASON_LIMIT).collect());
                }
                let delta = choice.delta.unwrap_or(Delta { content: None, refusal: None });
                text.extend(delta.content.into_iter().chain(delta.refusal));
            }
            self.answered += text.len();
            if self.answered > ANSWER_LIMIT {
                return Some(Err(self.failed(EndpointError::TooLong)));
            }
            if !text.is_empty() {
                return Some(Ok(ModelChunk::Text(text)));
            }
        }
        self.over = true;
        let reason = self.reason.take().filter(|reason| !reason.is_empty());
        reason.map(ModelChunk::Finish).or_else(|| self.usage.take().map(ModelChunk::Usage)).map(Ok)
    }

    /// The next event; `None` at the end of a whole answer.
    async fn piece(&mut self) -> Result<Option<Piece>, EndpointError> {
        let limit = match (self.finished, self.begun) {
            (true, _) => self.idle.min(AFTERWARDS),
            (false, true) => self.idle,
            (false, false) => self.first_byte,
        };
        let (pieces, flow) = (&mut self.pieces, &self.flow);
        let next = poll_fn(|context| {
            let polled = pieces.poll_next_unpin(context);
            flow.hungry(polled.is_pending());
            polled
        });
        match timeout(limit, next).await {
            Ok(Some(Ok(piece))) => {
                self.begun = true;
                Ok(Some(piece))
            }
            Ok(Some(Err(error))) => Err(EndpointError::of(error, &self.flow)),
            Ok(None) if self.finished || self.flow.is_done() => Ok(None),
            Ok(None) => Err(EndpointError::Cut(None)),
            Err(_) if self.finished => Ok(None),
            Err(_) => Err(EndpointError::Slow),
        }
    }

    fn failed(&mut self, fault: EndpointError) -> ModelError {
        self.over = true;
        (self.reason, self.usage) = (None, None);
        fault.told(self.key.as_ref())
    }
}
