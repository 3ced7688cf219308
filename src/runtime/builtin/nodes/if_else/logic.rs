//! How the answers to several conditions make one.

use serde::{Deserialize, Serialize};

/// How several conditions make one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Logic {
    /// All of them.
    #[default]
    And,
    /// Any of them.
    Or,
}

impl Logic {
    /// Asks one after the other, for as long as it matters. The answers, and what they come to: without any questions,
    /// `and` holds and `or` does not.
    pub(super) fn decide(
        self,
        questions: impl IntoIterator<Item = Result<bool, String>>,
    ) -> Result<(Vec<bool>, bool), String> {
        let mut answers = Vec::new();
        for answer in questions {
            let answer = answer?;
            answers.push(answer);
            if answer == (self == Self::Or) {
                return Ok((answers, answer));
            }
        }
        Ok((answers, self == Self::And))
    }
}
