//! What a call took, as Dify writes it into events.

use std::time::Duration;

use serde::Serialize;

use super::Usage;

/// Dify's block of usage. Nothing is known of prices here, so that they are nought.
#[derive(Clone, Debug, Serialize)]
pub struct UsageBlock {
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
    /// Of the prompt and the answer together.
    pub fn total_tokens(self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }

    /// The block, with what the call took in all and until its first chunk.
    pub fn block(self, latency: Duration, first_chunk: Option<Duration>) -> UsageBlock {
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
