//! The access mode of an app, as an operator lists it.

use crate::domain::{access_mode::AccessMode, id::AppId, stored::StoredValue};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppAccess {
    pub app_id: AppId,
    pub name: String,
    /// `None` when none was set, so that the default applies.
    pub mode: Option<StoredValue<AccessMode>>,
    /// Email addresses of the allowed accounts, sorted. They have access to a `private` app.
    pub allowed: Vec<String>,
}
