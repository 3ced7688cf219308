//! `iteration`: its data. The engine runs its level once for each item.

use serde::Deserialize;
use serde_json::Value;

use super::outcome::NodeError;
use crate::runtime::builtin::{
    graph::index::LevelIx,
    json::{flag, optional_count, optional_flag, or_default},
    variables::{pool::VariableView, selector::Selector},
};

/// Largest number of concurrent rounds, also when the file has a larger one.
const MAX_PARALLEL: usize = 10;

#[derive(Debug, Deserialize)]
pub(crate) struct IterationNodeData {
    /// Selects the list.
    pub iterator_selector: Selector,
    /// Selects the output of a round.
    pub output_selector: Selector,
    /// First node of the level; without it, the `iteration-start` inside.
    #[serde(default)]
    pub start_node_id: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    is_parallel: bool,
    #[serde(default, deserialize_with = "optional_count")]
    parallel_nums: Option<usize>,
    #[serde(default, deserialize_with = "or_default")]
    pub error_handle_mode: OnRoundError,
    #[serde(default, deserialize_with = "optional_flag")]
    flatten_output: Option<bool>,
    /// The level inside the iteration; set when the graph is checked.
    #[serde(skip)]
    pub level: LevelIx,
}

/// What follows when a round fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnRoundError {
    /// The iteration fails.
    #[default]
    Terminated,
    /// The output of the round is null.
    ContinueOnError,
    /// The round has no output.
    RemoveAbnormalOutput,
}

impl IterationNodeData {
    /// Largest number of concurrent rounds.
    pub(crate) fn parallel(&self) -> usize {
        if self.is_parallel { self.parallel_nums.unwrap_or(MAX_PARALLEL).clamp(1, MAX_PARALLEL) } else { 1 }
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

    /// The output of the iteration, from the outputs of its rounds. Lists of lists become one list, unless flattening
    /// is disabled.
    pub(crate) fn collect(&self, rounds: Vec<Option<Value>>) -> Vec<Value> {
        let outputs: Vec<Value> = match self.error_handle_mode {
            OnRoundError::RemoveAbnormalOutput => rounds.into_iter().flatten().collect(),
            OnRoundError::Terminated | OnRoundError::ContinueOnError => {
                rounds.into_iter().map(Option::unwrap_or_default).collect()
            }
        };
        let mut values = outputs.iter().filter(|value| !value.is_null()).peekable();
        let flat = self.flatten_output.unwrap_or(true) && values.peek().is_some() && values.all(Value::is_array);
        if !flat {
            return outputs;
        }
        outputs
            .into_iter()
            .flat_map(|value| match value {
                Value::Array(items) => items,
                _ => Vec::new(),
            })
            .collect()
    }
}
