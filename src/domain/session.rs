//! Sessions: the records of issued tokens.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    account::AccountStatus,
    id::{AccountId, TokenId, WorkspaceId},
    secret::TokenHash,
    stored::Stored,
    subject::{Subject, SubjectType},
};

/// A listed session.
#[derive(Clone, Debug)]
pub struct Session {
    /// UUID.
    pub id: TokenId,
    /// The token's first nine characters, or the bare prefix for a token Dify minted.
    pub prefix: String,
    /// The client that signed in.
    pub client_id: String,
    /// What it called its device.
    pub device_label: String,
    /// When it was issued.
    pub created_at: DateTime<Utc>,
    /// When it was last seen.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// What a live bearer stands for: the value of the token cache, and what a row resolves to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenContext {
    /// The session's id.
    pub token_id: TokenId,
    /// Whom it speaks for.
    pub subject: Subject,
    /// The client it was issued to.
    pub client_id: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// Whether its account is a member of a workspace, as the cache's entry remembers; none when this was read off SQL.
    pub verdicts: Option<BTreeMap<WorkspaceId, bool>>,
}

/// A live row as SQL finds it by hash, before anyone has judged it.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// The session's id.
    pub token_id: TokenId,
    /// `subject_email`.
    pub subject_email: String,
    /// `subject_issuer`, which old rows may lack.
    pub subject_issuer: Option<String>,
    /// `account_id`; null on an account's row means that the account was deleted.
    pub account_id: Option<AccountId>,
    /// The account's status, read in the same statement.
    pub account_status: Option<Stored<AccountStatus>>,
    /// `client_id`.
    pub client_id: String,
    /// `prefix` as stored.
    pub prefix: String,
    /// `expires_at`.
    pub expires_at: DateTime<Utc>,
}

/// What a mint writes: a new row, or the rotation of the live one of the same device.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Whom it will speak for.
    pub subject: Subject,
    /// The client that signed in.
    pub client_id: String,
    /// What it calls its device.
    pub device_label: String,
    /// Hash of the new token.
    pub hash: TokenHash,
    /// First nine characters of the new token.
    pub display_prefix: String,
    /// Issue time.
    pub created_at: DateTime<Utc>,
    /// Expiry.
    pub expires_at: DateTime<Utc>,
    /// The address the device asked from.
    pub created_ip: String,
    /// The user agent the device asked with.
    pub user_agent: Option<String>,
}

/// What a mint did.
#[derive(Clone, Debug)]
pub struct MintedSession {
    /// The row's id.
    pub token_id: TokenId,
    /// The hash the row had before, when it was rotated: its cache entry must go.
    pub rotated: Option<TokenHash>,
}

/// A row that was revoked just now.
#[derive(Clone, Debug)]
pub struct RevokedSession {
    /// The row's id.
    pub token_id: TokenId,
    /// The hash it had: its cache entry must go.
    pub hash: TokenHash,
}

/// Which live sessions an operator wants ended (`token revoke`).
#[derive(Clone, Debug)]
pub enum RevokeSelection {
    /// One session.
    Id(TokenId),
    /// Every session of the account with this email address.
    Account(String),
    /// Every session of a client.
    Client(String),
    /// Every session issued at or after this moment: the incident switch.
    Since(DateTime<Utc>),
}

impl Subject {
    /// The subject a row stands for under a token of this type; `None` when row and prefix disagree.
    pub fn of_row(subject_type: SubjectType, row: &TokenRow) -> Option<Self> {
        match (subject_type, row.account_id, row.prefix.as_str()) {
            (SubjectType::Account, Some(id), "dfoa_") => Some(Self::Account { id, email: row.subject_email.clone() }),
            (SubjectType::ExternalSso, None, "dfoe_") => Some(Self::ExternalSso {
                email: row.subject_email.clone(),
                issuer: row.subject_issuer.clone().filter(|issuer| !issuer.is_empty())?,
            }),
            _ => None,
        }
    }
}
