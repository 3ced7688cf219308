//! Accounts and the workspaces they have joined.

use chrono::{DateTime, Utc};

use super::{
    id::{AccountId, WorkspaceId},
    secret::Secret,
};

/// A row of `accounts`, without its password.
#[derive(Clone, Debug)]
pub struct Account {
    /// UUID.
    pub id: AccountId,
    /// Email address.
    pub email: String,
    /// Display name.
    pub name: String,
    /// `active`, `banned`, `closed`, `pending` or `uninitialized`; only `active` counts.
    pub status: String,
    /// Avatar reference.
    pub avatar: Option<String>,
    /// BCP 47 tag of the chosen language.
    pub interface_language: Option<String>,
    /// Time zone name.
    pub timezone: Option<String>,
    /// Whether a password is set.
    pub has_password: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Account {
    /// Whether it may do anything at all.
    pub fn is_active(&self) -> bool {
        self.status == "active"
    }
}

/// A workspace with the account's place in it.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Its name.
    pub name: String,
    /// The account's role in it.
    pub role: String,
    /// `normal` or `archive`.
    pub status: String,
    /// Billing plan.
    pub plan: String,
    /// Whether it is the account's current one.
    pub current: bool,
    /// When the workspace was made.
    pub created_at: DateTime<Utc>,
}

/// An account and all its workspaces, oldest first: one SQL statement.
#[derive(Clone, Debug)]
pub struct AccountView {
    /// The account.
    pub account: Account,
    /// Its workspaces, oldest first.
    pub memberships: Vec<Membership>,
}

impl AccountView {
    /// The workspace marked current, else the first.
    pub fn default_workspace(&self) -> Option<&Membership> {
        self.memberships.iter().find(|membership| membership.current).or_else(|| self.memberships.first())
    }
}

/// An account as a password sign-in needs it.
#[derive(Clone, Debug)]
pub struct StoredLogin {
    /// The account, whatever its status.
    pub account: Account,
    /// The stored password hash.
    pub password: Option<Secret>,
    /// The stored salt, for hashes that do not carry their own.
    pub salt: Option<Secret>,
}

/// A workspace as an operator lists it.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// UUID.
    pub id: WorkspaceId,
    /// Its name.
    pub name: String,
    /// `normal` or `archive`.
    pub status: String,
    /// How many accounts have joined it.
    pub members: u64,
}
