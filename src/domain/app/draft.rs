//! The draft of an app's graph: what has been saved and is not published yet.

use chrono::{DateTime, Utc};

use super::file::GraphBody;
use crate::domain::{
    error::{Code, Error},
    id::WorkflowId,
    secret::sha256_hex,
};

/// The longest name of a version, in characters, as in Dify.
pub(crate) const MAX_VERSION_NAME: usize = 20;
/// The longest comment of a version, in characters, as in Dify.
pub(crate) const MAX_VERSION_COMMENT: usize = 100;

/// The name and the comment of a published version; both may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionMark<'a> {
    pub name: &'a str,
    pub comment: &'a str,
}

/// A published version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedVersion {
    pub id: WorkflowId,
    pub created_at: DateTime<Utc>,
}

/// The hash of a draft, by which a client proves that it has seen the current one. Secrets do not enter it.
pub(crate) fn draft_hash(body: &GraphBody) -> String {
    stored_draft_hash(&body.graph.to_string(), &body.features.to_string())
}

/// The same, of the stored texts.
pub(crate) fn stored_draft_hash(graph: &str, features: &str) -> String {
    // JSON text has no NUL.
    sha256_hex(format!("{graph}\0{features}").as_bytes())
}

/// The error of a client whose draft is not the current one.
pub(crate) fn draft_has_changed() -> Error {
    Error::new(Code::Conflict, "The draft has changed since it was read.")
        .with_hint("Leave out `hash` to replace the draft that is stored.")
}
