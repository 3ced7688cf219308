//! Hints in lists: the operations of the catalog that are useful next.

use serde_json::{Map, Value, json};
use tonic::Request;

use super::{catalog::CATALOG_HEADER, json::Object, proto};

/// The operation that lists apps.
pub(super) const LIST_APPS: &str = "get.console_app";
/// The operation that lists the sessions of the account.
pub(super) const LIST_SESSIONS: &str = "get.account.session";
/// The operation that lists the members of a workspace.
pub(super) const LIST_MEMBERS: &str = "get.workspace.member";
/// The operation that confirms an import.
pub(super) const CONFIRM_IMPORT: &str = "confirm.console_app.dsl_import";
/// The operation that describes an app.
pub(super) const DESCRIBE_APP: &str = "describe.console_app";

impl proto::Hint {
    /// Hints for a client that works from the catalog; empty for others, which do not know its operations.
    pub(super) fn list<T>(request: &Request<T>, hints: impl FnOnce() -> Vec<Self>) -> Vec<Self> {
        if request.metadata().contains_key(CATALOG_HEADER) { hints() } else { Vec::new() }
    }

    /// A hint; members without a value are left out of the input.
    pub(super) fn new(summary: &str, op: &str, input: &[(&str, Value)]) -> Self {
        let members = input.iter().filter(|(_, value)| !value.is_null());
        let input: Map<_, _> = members.map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Self { summary: summary.to_owned(), op: op.to_owned(), input: Some(Object::from(input)) }
    }

    /// The next page of a list.
    pub(super) fn next_page(op: &str, page: u32, limit: u32, input: &[(&str, Value)]) -> Self {
        let mut members = vec![("page", json!(page + 1)), ("limit", json!(limit))];
        members.extend(input.iter().cloned());
        Self::new("Show the next page", op, &members)
    }
}
