//! Subjects: the accounts and external identities that tokens speak for.

use super::id::AccountId;

/// The issuer that Dify stores for its own accounts. On the wire it is null.
pub(crate) const ACCOUNT_ISSUER: &str = "dify:account";

/// The kind of a token's subject, which the token's prefix states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubjectType {
    /// A Dify account, `dfoa_`.
    Account,
    /// An identity of an external identity provider, `dfoe_`.
    ExternalSso,
}

impl SubjectType {
    pub const fn token_prefix(self) -> &'static str {
        match self {
            Self::Account => "dfoa_",
            Self::ExternalSso => "dfoe_",
        }
    }

    /// The kind for a token's prefix; `None` for another prefix.
    pub fn of_token(token: &str) -> Option<Self> {
        [Self::Account, Self::ExternalSso].into_iter().find(|kind| token.starts_with(kind.token_prefix()))
    }

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::ExternalSso => "external_sso",
        }
    }
}

/// The owner of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A Dify account.
    Account {
        id: AccountId,
        /// The email address when the token was minted.
        email: String,
    },
    /// An external identity, identified by email address and issuer.
    ExternalSso {
        /// The email address that the provider asserted.
        email: String,
        issuer: String,
    },
}

impl Subject {
    /// The key of limits by account: its id, or the email address of an external identity.
    pub fn limit_key(&self) -> String {
        match self {
            Self::Account { id, .. } => id.to_string(),
            Self::ExternalSso { email, .. } => email.to_lowercase(),
        }
    }

    pub fn subject_type(&self) -> SubjectType {
        match self {
            Self::Account { .. } => SubjectType::Account,
            Self::ExternalSso { .. } => SubjectType::ExternalSso,
        }
    }

    pub fn email(&self) -> &str {
        match self {
            Self::Account { email, .. } | Self::ExternalSso { email, .. } => email,
        }
    }

    /// The issuer as it is stored; never null.
    pub fn stored_issuer(&self) -> &str {
        match self {
            Self::Account { .. } => ACCOUNT_ISSUER,
            Self::ExternalSso { issuer, .. } => issuer,
        }
    }

    /// The issuer on the wire: null for accounts.
    pub fn wire_issuer(&self) -> Option<&str> {
        match self {
            Self::Account { .. } => None,
            Self::ExternalSso { issuer, .. } => Some(issuer),
        }
    }

    pub fn account_id(&self) -> Option<AccountId> {
        match self {
            Self::Account { id, .. } => Some(*id),
            Self::ExternalSso { .. } => None,
        }
    }
}
