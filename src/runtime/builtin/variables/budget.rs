//! Limits of what variables take, in bytes.

use serde_json::Value;

use super::value;

/// A limit for variables is exceeded. All limits are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VariableLimitError {
    #[error("the variable {name} is larger than {limit} bytes")]
    Variable { name: String, limit: usize },
    /// All values that one node reads.
    #[error("the values of this node take more than {limit} bytes")]
    Node { limit: usize },
    /// All variables of one run.
    #[error("the variables of this run take more than {limit} bytes")]
    Run { limit: usize },
    /// The variables of all runs of the process.
    #[error("the variables of this workspace's runs, or of all runs, use all the memory they may; try again shortly")]
    Process,
}

/// The bytes that a node may still read from the pool. Without it, a small node could copy one large value a thousand
/// times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByteBudget {
    left: usize,
    limit: usize,
}

impl ByteBudget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { left: limit, limit }
    }

    /// Copies a value and spends its weight; `None` becomes null and is free.
    pub(crate) fn copy(&mut self, value: Option<&Value>) -> Result<Value, VariableLimitError> {
        let Some(value) = value else { return Ok(Value::Null) };
        self.spend(value)?;
        Ok(value.clone())
    }

    /// Spends the weight of a value that has been copied already.
    pub(crate) fn spend(&mut self, value: &Value) -> Result<(), VariableLimitError> {
        self.left =
            self.left.checked_sub(value::weight(value)).ok_or(VariableLimitError::Node { limit: self.limit })?;
        Ok(())
    }
}
