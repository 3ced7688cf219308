//! The tokens that model calls use: reported, estimated, summed up, and as Dify writes them into events.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::Serialize;

use super::prompt::PromptMessage;
use crate::runtime::builtin::token_estimate::estimate_tokens;

/// The tokens of one or more calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub prompt_tokens: u64,
    /// Tokens of the answers.
    pub completion_tokens: u64,
}

impl Usage {
    /// An estimate, for models that report no usage and for answers that ended early.
    pub(crate) fn estimated(prompt: &[PromptMessage], answer: &str) -> Self {
        Self {
            prompt_tokens: prompt.iter().map(|message| estimate_tokens(&message.text)).sum(),
            completion_tokens: estimate_tokens(answer),
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.completion_tokens = self.completion_tokens.saturating_add(other.completion_tokens);
    }

    pub(crate) fn total_tokens(self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }

    /// The block for events; `latency` is the whole duration, `first_chunk` the time to the first chunk.
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

/// Dify's `usage` block. All prices are zero, since this service knows none. Times are in seconds.
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

/// Sums the usage of one attempt of a node and of its run. The calls share the counter, because a call that is
/// cancelled has used tokens and returns nothing. Clones share their sums.
#[derive(Clone, Debug, Default)]
pub(crate) struct UsageCounter {
    attempt: Arc<Mutex<Usage>>,
    run: Arc<Mutex<Usage>>,
}

impl UsageCounter {
    /// A counter for another attempt of the same run.
    #[must_use]
    pub(crate) fn attempt(&self) -> Self {
        Self { attempt: Arc::default(), run: Arc::clone(&self.run) }
    }

    /// Adds the usage of a call that has ended.
    pub(crate) fn add(&self, usage: Usage) {
        for sum in [&self.attempt, &self.run] {
            sum.lock().add(usage);
        }
    }

    pub(crate) fn of_attempt(&self) -> Usage {
        *self.attempt.lock()
    }

    pub(crate) fn of_run(&self) -> Usage {
        *self.run.lock()
    }
}
