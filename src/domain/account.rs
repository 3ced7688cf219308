//! Accounts, and what signing in reads of them.

use chrono::{DateTime, Utc};

use super::{
    id::AccountId,
    secret::Secret,
    stored::{StoredValue, stored_words},
    workspace::Membership,
};

stored_words! {
    /// The status of an account. Only an active account can sign in or use a token.
    AccountStatus {
        Active = "active",
        Banned = "banned",
        Closed = "closed",
        Pending = "pending",
        Uninitialized = "uninitialized",
    }
}

impl AccountStatus {
    /// Statuses that an operator can set.
    pub const SETTABLE: &[Self] = &[Self::Active, Self::Banned];
}

/// A row of `accounts`, without its password.
#[derive(Clone, Debug)]
pub struct Account {
    pub id: AccountId,
    pub email: String,
    pub name: String,
    pub status: StoredValue<AccountStatus>,
    /// A URL or an id of Dify's file store.
    pub avatar: Option<String>,
    /// BCP 47 tag of the chosen language.
    pub interface_language: Option<String>,
    /// IANA name of the time zone.
    pub timezone: Option<String>,
    /// Whether a password is set.
    pub has_password: bool,
    pub created_at: DateTime<Utc>,
}

impl Account {
    /// Whether the account may sign in and use its tokens.
    pub fn is_active(&self) -> bool {
        self.status.is(AccountStatus::Active)
    }
}

/// The sessions of an account that end with a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedSessions {
    /// Browser sessions and device sessions.
    All,
    Browser,
}

/// An account with its workspaces.
#[derive(Clone, Debug)]
pub struct AccountView {
    pub account: Account,
    /// Oldest workspace first.
    pub memberships: Vec<Membership>,
}

impl AccountView {
    /// The workspace marked current, else the first.
    pub fn default_workspace(&self) -> Option<&Membership> {
        self.memberships.iter().find(|membership| membership.current).or_else(|| self.memberships.first())
    }
}

/// An account with what a password sign-in is checked against.
#[derive(Clone, Debug)]
pub struct StoredLogin {
    /// The account, whatever its status.
    pub account: Account,
    /// The stored password hash.
    pub password: Option<Secret>,
    /// The stored salt, for hashes that do not contain their own.
    pub salt: Option<Secret>,
}
