//! What calls took: told, estimated, summed up, and as Dify writes it into events.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::Serialize;

use super::{PromptMessage, Usage};
use crate::runtime::builtin::token_estimate::estimate_tokens;

/// What the calls of one attempt took, for the attempt and for its run. Kept apart from the calls: what is stopped tells nobody
/// what it took, and took it all the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct UsageCounter {
    attempt: Arc<Mutex<Usage>>,
    run: Arc<Mutex<Usage>>,
}

impl UsageCounter {
    /// Another attempt of the same run.
    #[must_use]
    pub(crate) fn attempt(&self) -> Self {
        Self { attempt: Arc::default(), run: Arc::clone(&self.run) }
    }

    /// A call has ended.
    pub(crate) fn add(&self, usage: Usage) {
        for sum in [&self.attempt, &self.run] {
            sum.lock().add(usage);
        }
    }

    /// What this attempt took.
    pub(crate) fn of_attempt(&self) -> Usage {
        *self.attempt.lock()
    }

    /// What the run took.
    pub(crate) fn of_run(&self) -> Usage {
        *self.run.lock()
    }
}

/// Dify's block of usage. Nothing is known of prices here, so that they are nought.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct UsageBlock {
    prompt_tokens: u64,
    prompt_unit_price: &'static str,
    prompt_price_unit: &'static str,
    prompt_price: &'static str,
    completion_tokens: u64,
    completion_unit_price: &'static str,
    completion_price_unit: &'static str,
    completion_price: &'static str,
    total_tokens: u64,
    total_price: &'static str,
    currency: &'static str,
    latency: f64,
    time_to_first_token: Option<f64>,
    time_to_generate: Option<f64>,
}

impl Usage {
    /// About what a call takes whose model does not tell, or whose answer ended early.
    pub(crate) fn estimated(prompt: &[PromptMessage], answer: &str) -> Self {
        Self {
            prompt_tokens: prompt.iter().map(|message| estimate_tokens(&message.text)).sum(),
            completion_tokens: estimate_tokens(answer),
        }
    }

    /// Adds what another call took.
    pub(crate) fn add(&mut self, other: Self) {
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.completion_tokens = self.completion_tokens.saturating_add(other.completion_tokens);
    }

    /// Of the prompt and the answer together.
    pub(crate) fn total_tokens(self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }

    /// The block, with what the call took in all and until its first chunk.
    pub(crate) fn block(self, latency: Duration, first_chunk: Option<Duration>) -> UsageBlock {
        let seconds = |duration: Duration| (duration.as_secs_f64() * 1_000.0).round() / 1_000.0;
        UsageBlock {
            prompt_tokens: self.prompt_tokens,
            prompt_unit_price: "0",
            prompt_price_unit: "0",
            prompt_price: "0",
            completion_tokens: self.completion_tokens,
            completion_unit_price: "0",
            completion_price_unit: "0",
            completion_price: "0",
            total_tokens: self.total_tokens(),
            total_price: "0",
            currency: "USD",
            latency: seconds(latency),
            time_to_first_token: first_chunk.map(seconds),
            time_to_generate: first_chunk.map(|first| seconds(latency.saturating_sub(first))),
        }
    }
}
