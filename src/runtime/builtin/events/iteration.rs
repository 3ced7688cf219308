//! Events of iteration nodes.

use serde::Serialize;
use serde_json::Value;

use super::node::{EmptyObject, TokenTotals};
use crate::runtime::builtin::json::JsonObject;

/// `iteration_started`.
#[derive(Serialize)]
pub(crate) struct IterationStarted<'a> {
    pub id: &'a str,
    pub node_id: &'a str,
    pub node_type: &'static str,
    pub title: &'a str,
    /// Unix seconds.
    pub created_at: i64,
    pub extras: EmptyObject,
    pub metadata: IterationLength,
    pub inputs: IterationInputs<'a>,
}

#[derive(Serialize)]
pub(crate) struct IterationLength {
    /// Number of items.
    pub iterator_length: usize,
}

#[derive(Clone, Copy, Serialize)]
pub(crate) struct IterationInputs<'a> {
    /// The items.
    pub iterator_selector: &'a [Value],
}

/// `iteration_next`: a round starts.
#[derive(Serialize)]
pub(crate) struct IterationNext<'a> {
    pub id: &'a str,
    pub node_id: &'a str,
    pub node_type: &'static str,
    pub title: &'a str,
    /// Number of the round, from 0.
    pub index: usize,
    /// Unix seconds.
    pub created_at: i64,
    pub extras: EmptyObject,
}

/// `iteration_completed`.
#[derive(Serialize)]
pub(crate) struct IterationCompleted<'a> {
    pub id: &'a str,
    pub node_id: &'a str,
    pub node_type: &'static str,
    pub title: &'a str,
    pub outputs: &'a JsonObject,
    /// Unix seconds.
    pub created_at: i64,
    pub extras: EmptyObject,
    pub inputs: IterationInputs<'a>,
    pub status: &'static str,
    pub error: Option<&'a str>,
    /// Seconds.
    pub elapsed_time: f64,
    pub total_tokens: u64,
    pub execution_metadata: TokenTotals,
    /// Unix seconds.
    pub finished_at: i64,
    /// Number of items.
    pub steps: usize,
}
