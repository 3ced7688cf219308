//! Events of the nodes of a graph, except iterations.

use serde::Serialize;

use crate::runtime::builtin::json::JsonObject;

/// Dify's currency for models without a price.
const CURRENCY: &str = "USD";

/// An object without members.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct EmptyObject {}

/// `node_started`.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct NodeStarted<'a> {
    /// Id of this execution of the node.
    pub id: &'a str,
    pub node_id: &'a str,
    pub node_type: &'static str,
    pub title: &'a str,
    /// Number of the execution in its run, from 1.
    pub index: usize,
    pub predecessor_node_id: Option<&'a str>,
    pub inputs: Option<&'a JsonObject>,
    /// Unix seconds.
    pub created_at: i64,
    pub extras: EmptyObject,
    pub parallel_id: (),
    pub parallel_start_node_id: (),
    pub parent_parallel_id: (),
    pub parent_parallel_start_node_id: (),
    /// Id of the iteration node around this one.
    pub iteration_id: Option<&'a str>,
    pub loop_id: (),
}

/// `node_finished`, and `node_retry` after a failed attempt.
#[derive(Serialize)]
pub(crate) struct NodeFinished<'a> {
    #[serde(flatten)]
    pub node: NodeStarted<'a>,
    pub process_data: Option<&'a JsonObject>,
    pub outputs: Option<&'a JsonObject>,
    pub status: &'static str,
    pub error: Option<&'a str>,
    /// Seconds.
    pub elapsed_time: f64,
    pub execution_metadata: Option<ExecutionMetadata<'a>>,
    /// Unix seconds.
    pub finished_at: i64,
    pub files: [(); 0],
    /// Number of the failed attempt, from 1; in `node_retry` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_index: Option<u32>,
}

#[derive(Clone, Copy, Serialize)]
pub(crate) struct ExecutionMetadata<'a> {
    #[serde(flatten)]
    pub tokens: Option<TokenTotals>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iteration_id: Option<&'a str>,
}

/// A number of tokens, and their price, which is always 0: prices are unknown here.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct TokenTotals {
    total_tokens: u64,
    total_price: &'static str,
    currency: &'static str,
}

impl TokenTotals {
    pub(crate) fn new(total_tokens: u64) -> Self {
        Self { total_tokens, total_price: "0", currency: CURRENCY }
    }
}
