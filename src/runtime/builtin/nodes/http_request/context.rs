//! What a run of the node reads and uses.

use crate::runtime::{
    builtin::{
        nodes::workspace_credentials::WorkspaceCredentials, secret_masks::SecretMasks, variables::pool::VariableView,
    },
    outbound::RunOutboundClient,
};

pub(crate) struct HttpRequestContext<'a> {
    pub view: VariableView<'a>,
    pub outbound: &'a RunOutboundClient,
    pub credentials: &'a WorkspaceCredentials,
    /// Longest text of any part of the request, in bytes.
    pub limit: usize,
    /// Masks secrets in the event's text of the request.
    pub masks: &'a SecretMasks,
    /// Whether an error status fails the node. Without error handling in the graph, it is a normal response.
    pub fail_on_status: bool,
    /// Separates the parts of a form.
    pub boundary: String,
}
