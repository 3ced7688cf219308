//! Combines the results of several conditions.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Logic {
    /// All conditions are true.
    #[default]
    And,
    /// Any condition is true.
    Or,
}

impl Logic {
    /// Evaluates conditions until the result is certain. Returns their results and the combined one: without
    /// conditions, `and` is true and `or` is false.
    pub(super) fn evaluate(
        self,
        conditions: impl IntoIterator<Item = Result<bool, String>>,
    ) -> Result<(Vec<bool>, bool), String> {
        let mut results = Vec::new();
        for condition in conditions {
            let result = condition?;
            results.push(result);
            if result == (self == Self::Or) {
                return Ok((results, result));
            }
        }
        Ok((results, self == Self::And))
    }
}
