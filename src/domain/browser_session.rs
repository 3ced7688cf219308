//! Browser sessions of a standalone server: who is signed in to its pages (contract section 6, approval).

use chrono::{DateTime, Utc};

use super::{
    id::{AccountId, BrowserSessionId},
    secret::RefreshHash,
};

/// A sign-in.
#[derive(Clone, Debug)]
pub struct NewBrowserSession {
    /// The `jti` of its cookies.
    pub id: BrowserSessionId,
    /// Who signed in.
    pub account_id: AccountId,
    /// Hash of its first refresh token.
    pub refresh_hash: RefreshHash,
    /// Whether it outlives the browser.
    pub remember: bool,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it ends unless it is refreshed.
    pub expires_at: DateTime<Utc>,
}

/// What became of a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// It was good, and is spent now.
    Rotated {
        /// The session, which keeps its id.
        session_id: BrowserSessionId,
        /// Whose it is.
        account_id: AccountId,
        /// Whether it outlives the browser.
        remember: bool,
    },
    /// It had been spent before: somebody has a copy, so the session has been ended.
    Reused,
    /// No live session of an active account has or had it.
    Unknown,
}
