//! Sessions: the records of issued tokens.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    account::AccountStatus,
    id::{AccountId, TokenId, WorkspaceId},
    secret::TokenHash,
    stored::StoredValue,
    subject::{Subject, SubjectType},
};

/// A listed session.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: TokenId,
    /// The token's first nine characters, or only `dfoa_` or `dfoe_` for a token that Dify minted.
    pub prefix: String,
    pub client_id: String,
    /// The name that a person gave the session, or the label of the device.
    pub device_label: String,
    pub created_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
    /// The address that requested the device code; `None` for tokens of Dify and of commands.
    pub created_ip: Option<String>,
    /// The user agent that requested the device code.
    pub user_agent: Option<String>,
    /// The address of the last use; `None` for tokens of Dify.
    pub last_ip: Option<String>,
    /// The user agent of the last use.
    pub last_user_agent: Option<String>,
}

/// The identity behind a live bearer, as it is cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenContext {
    pub token_id: TokenId,
    pub subject: Subject,
    pub client_id: String,
    pub expires_at: DateTime<Utc>,
    /// Workspaces, and whether the account is a member of them, as cached. `None` when the token was read from SQL.
    pub verdicts: Option<BTreeMap<WorkspaceId, bool>>,
}

/// A token's row that is not revoked, before expiry and account are checked.
#[derive(Clone, Debug)]
pub struct TokenRow {
    pub token_id: TokenId,
    pub subject_email: String,
    /// Old rows have none.
    pub subject_issuer: Option<String>,
    /// `None` in the row of an account's token means that the account was deleted.
    pub account_id: Option<AccountId>,
    /// The status of the account, read in the same statement.
    pub account_status: Option<StoredValue<AccountStatus>>,
    pub client_id: String,
    /// `dfoa_` or `dfoe_`.
    pub prefix: String,
    pub expires_at: DateTime<Utc>,
}

/// The values of a minted token, for a new row or the rotation of an existing one.
#[derive(Clone, Debug)]
pub(crate) struct NewSession {
    pub subject: Subject,
    pub client_id: String,
    pub device_label: String,
    pub hash: TokenHash,
    /// The first nine characters of the token.
    pub display_prefix: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// The address that requested the device code; empty for a token that a command issued.
    pub created_ip: String,
    /// The user agent that requested the device code.
    pub user_agent: Option<String>,
}

/// The result of a mint.
#[derive(Clone, Debug)]
pub(crate) struct MintedSession {
    pub token_id: TokenId,
    /// The row's previous hash if it was rotated. Its cache entry has to be removed.
    pub rotated: Option<TokenHash>,
    /// Sessions that were revoked because the subject had too many with this client.
    pub evicted: Vec<RevokedSession>,
}

/// A session that a call has revoked.
#[derive(Clone, Debug)]
pub struct RevokedSession {
    pub token_id: TokenId,
    /// The token's hash. Its cache entry has to be removed.
    pub hash: TokenHash,
}

/// The sessions that `token revoke` ends.
#[derive(Clone, Debug)]
pub enum RevokeSelection {
    /// One session.
    Id(TokenId),
    /// Every session of the account with this email address.
    Account(String),
    /// Every session of a client.
    Client(String),
    /// Every session issued at or after this time, for use after an incident.
    Since(DateTime<Utc>),
}

impl Subject {
    /// The subject of a row for a token of this type; `None` when the row contradicts the token's prefix.
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
