//! `iteration`: the data of it. Running its level for each item is the engine's.

use serde::Deserialize;
use serde_json::Value;

use super::outcome::NodeError;
use crate::runtime::builtin::{
    graph::index::LevelIx,
    json::or_default,
    variables::{pool::VariableView, selector::Selector},
};

/// Most rounds at the same time, whatever the file says.
const PARALLEL_MAX: usize = 10;

/// Its data.
#[derive(Debug, Deserialize)]
pub(crate) struct IterationNodeData {
    /// The list.
    pub iterator_selector: Selector,
    /// What each round puts out.
    pub output_selector: Selector,
    /// Where its level begins; without it, at the `iteration-start` that stands in it.
    #[serde(default)]
    pub start_node_id: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    is_parallel: bool,
    #[serde(default)]
    parallel_nums: Option<usize>,
    /// What becomes of it when a round fails.
    #[serde(default, deserialize_with = "or_default")]
    pub error_handle_mode: OnRoundError,
    #[serde(default)]
    flatten_output: Option<bool>,
    /// The level it runs; the graph's check fills it in.
    #[serde(skip)]
    pub level: LevelIx,
}

/// What becomes of an iteration when a round of it fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnRoundError {
    /// It fails as well.
    #[default]
    Terminated,
    /// It goes on, with null in that place.
    ContinueOnError,
    /// It goes on, without anything in that place.
    RemoveAbnormalOutput,
}

impl IterationNodeData {
    /// Rounds that may run at the same time.
    pub(crate) fn parallel(&self) -> usize {
        if self.is_parallel { self.parallel_nums.unwrap_or(PARALLEL_MAX).clamp(1, PARALLEL_MAX) } else { 1 }
    }

    /// The items. Null counts as an empty list.
    pub(crate) fn items(&self, view: VariableView<'_>) -> Result<Vec<Value>, Box<NodeError>> {
        match view.get(&self.iterator_selector) {
            Some(Value::Array(items)) => Ok(items.clone()),
            Some(Value::Null) => Ok(Vec::new()),
            Some(_) => Err(NodeError::new(
                "InvalidIteratorValueError",
                format!("the value of {} is not a list", self.iterator_selector),
            )),
            None => Err(NodeError::new(
                "IteratorVariableNotFoundError",
                format!("iterator variable {} not found", self.iterator_selector),
            )),
        }
    }

    /// What the rounds put out, as the iteration puts it out: lists of lists become one list, unless that is switched off.
    pub(crate) fn collect(&self, rounds: Vec<Option<Value>>) -> Vec<Value> {
        let kept: Vec<Value> = match self.error_handle_mode {
            OnRoundError::RemoveAbnormalOutput => rounds.into_iter().flatten().collect(),
            OnRoundError::Terminated | OnRoundError::ContinueOnError => {
                rounds.into_iter().map(Option::unwrap_or_default).collect()
            }
        };
        let mut filled = kept.iter().filter(|value| !value.is_null()).peekable();
        let flat = self.flatten_output.unwrap_or(true) && filled.peek().is_some() && filled.all(Value::is_array);
        if !flat {
            return kept;
        }
        kept.into_iter()
            .flat_map(|value| match value {
                Value::Array(items) => items,
                _ => Vec::new(),
            })
            .collect()
    }
}
