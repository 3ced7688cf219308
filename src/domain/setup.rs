//! The setup of a standalone server: its first administrator, with a workspace.

use chrono::{DateTime, Utc};

use super::{
    error::{Code, Error},
    id::{AccountId, WorkspaceId},
    secret::Secret,
};

/// Whether a server is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupState {
    /// There is no account.
    NotStarted,
    Finished {
        /// When the first administrator was created.
        at: DateTime<Utc>,
    },
}

/// The first administrator, as it is stored.
#[derive(Clone, Debug)]
pub struct NewAdministrator<'a> {
    pub email: &'a str,
    pub name: &'a str,
    pub password_hash: &'a Secret,
    /// BCP 47 tag of the language.
    pub language: Option<&'a str>,
    /// The name of the workspace that the administrator owns.
    pub workspace_name: &'a str,
}

/// What a setup has created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetupResult {
    pub account: AccountId,
    pub workspace: WorkspaceId,
}

/// The error of every setup but the first.
pub(crate) fn already_set_up() -> Error {
    Error::new(Code::AlreadySetup, "This server has been set up already.").with_hint("Sign in instead.")
}
