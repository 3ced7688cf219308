//! Browser sessions of a standalone server's pages (contract section 6, approval).

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    id::{AccountId, BrowserSessionId},
    request_origin::RequestOrigin,
    secret::RefreshHash,
};

/// Time after a refresh during which the token before it is still accepted, for tabs that refresh at the same time.
pub(crate) const REFRESH_GRACE: TimeDelta = TimeDelta::seconds(10);

#[derive(Clone, Debug)]
pub struct NewBrowserSession {
    /// The `jti` of the session's cookies.
    pub id: BrowserSessionId,
    pub account_id: AccountId,
    /// Hash of the first refresh token.
    pub refresh_hash: RefreshHash,
    /// Whether the cookies outlive the browser.
    pub remember: bool,
    pub created_at: DateTime<Utc>,
    /// The end of the session unless it is refreshed.
    pub expires_at: DateTime<Utc>,
    /// Where the session begins.
    pub origin: RequestOrigin,
}

/// A listed browser session.
#[derive(Clone, Debug)]
pub struct BrowserSession {
    pub id: BrowserSessionId,
    pub created_at: DateTime<Utc>,
    /// `None` before the first refresh.
    pub refreshed_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
    /// The address at the beginning; `None` in rows of older versions.
    pub created_ip: Option<String>,
    /// The user agent at the beginning.
    pub user_agent: Option<String>,
    /// The address of the last refresh.
    pub last_ip: Option<String>,
    /// The user agent of the last refresh.
    pub last_user_agent: Option<String>,
}

/// The newest browser sessions of an account.
#[derive(Clone, Debug, Default)]
pub struct BrowserSessions {
    /// The number of all.
    pub total: u64,
    /// Newest first.
    pub newest: Vec<BrowserSession>,
}

/// The result of using a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// The token was valid and is replaced by the next one.
    Rotated {
        session_id: BrowserSessionId,
        account_id: AccountId,
        /// Whether the cookies outlive the browser.
        remember: bool,
    },
    /// Another request has just replaced the token. The session continues with the next token, which is not returned
    /// again.
    Superseded,
    /// The token was used before, so a second party has a copy. The session has been ended.
    Reused,
    /// No live session of an active account has this token.
    Unknown,
}
