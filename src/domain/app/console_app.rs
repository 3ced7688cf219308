//! Apps as the members of a workspace manage them: also those that are not published or not enabled.

use chrono::{DateTime, Utc};

use super::{mode::AppMode, tag::AppTag};
use crate::domain::{
    id::{AccountId, AppId, WorkflowId},
    stored::StoredValue,
};

/// Apps of one workspace that its members create and import. Operators are not limited.
pub(crate) const MAX_APPS: u64 = 5_000;

/// An app as the console shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleApp {
    pub id: AppId,
    pub name: String,
    pub description: String,
    /// Dify stores modes that cannot be run, too.
    pub mode: StoredValue<AppMode>,
    pub icon_type: Option<String>,
    pub icon: Option<String>,
    pub icon_background: Option<String>,
    pub use_icon_as_answer_icon: bool,
    pub enable_site: bool,
    /// Whether clients may call the app.
    pub enable_api: bool,
    /// The published version of a graph.
    pub workflow_id: Option<WorkflowId>,
    pub created_by: Option<AccountId>,
    /// The name of that account.
    pub author_name: Option<String>,
    pub created_at: DateTime<Utc>,
    pub updated_by: Option<AccountId>,
    pub updated_at: DateTime<Utc>,
    /// By name.
    pub tags: Vec<AppTag>,
}
