//! What an account decided about the grant of a user code. The record outlives the grant, so that the pages can show
//! the account what it decided.

use super::id::TokenId;

/// Lifetime of the record, in seconds: longer than that of a grant, so that the page of the outcome can be opened
/// again.
pub(crate) const LIFETIME: u32 = 86_400;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub client_id: String,
    pub device_label: String,
    pub outcome: DecisionOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionOutcome {
    /// Approved: the session that the device got.
    Approved(TokenId),
    Denied,
}
