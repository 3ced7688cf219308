//! What a run of the node reads and uses.

use crate::runtime::{
    builtin::{secret_masks::SecretMasks, variables::pool::VariableView},
    outbound::RunOutboundClient,
};

/// What a run of the node needs from around it.
pub(crate) struct HttpRequestContext<'a> {
    /// What it reads.
    pub view: VariableView<'a>,
    /// Sends the request.
    pub outbound: &'a RunOutboundClient,
    /// Longest text of any part of the request, in bytes.
    pub limit: usize,
    /// What nobody is told of the request.
    pub masks: &'a SecretMasks,
    /// Whether an unsuccessful answer is a failure: only where the graph handles failures.
    pub strict: bool,
    /// Keeps the parts of a form apart.
    pub boundary: String,
}
