//! What a person decided about the grant of a user code. The record outlives the grant, so that the pages can show the
//! person the decision: for accounts it is stored, and for external identities it is in a cookie.

use super::{grant::GrantRequest, id::TokenId};

/// Lifetime of the record, in seconds: longer than that of a grant, so that the page of the outcome can be opened
/// again.
pub(crate) const LIFETIME: u32 = 86_400;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub client_id: String,
    pub device_label: String,
    pub outcome: DecisionOutcome,
}

impl Decision {
    pub fn about(request: &GrantRequest, outcome: DecisionOutcome) -> Self {
        Self { client_id: request.client_id.clone(), device_label: request.device_label.clone(), outcome }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionOutcome {
    /// Approved: the session that the device got.
    Approved(TokenId),
    Denied,
}
