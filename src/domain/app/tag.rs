//! Tags: labels of a workspace for its apps.

use crate::domain::id::TagId;

/// The longest name of a tag, in characters, as in Dify.
pub(crate) const MAX_TAG_NAME: usize = 50;
/// Tags of one workspace.
pub(crate) const MAX_TAGS: u64 = 500;
/// Tags of one app, and tags in one request.
pub(crate) const MAX_TAGS_OF_APP: usize = 50;

/// A tag of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub id: TagId,
    pub name: String,
    /// The number of apps that have it.
    pub apps: u64,
}

/// A tag of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppTag {
    pub id: TagId,
    pub name: String,
}
