//! Whom a token speaks for.

use super::id::AccountId;

/// The issuer Dify writes for its own accounts; on the wire it is null.
pub const ACCOUNT_ISSUER: &str = "dify:account";

/// For whom a token speaks, by its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubjectType {
    /// A Dify account, `dfoa_`.
    Account,
    /// An identity of an external identity provider, `dfoe_`.
    ExternalSso,
}

impl SubjectType {
    /// The token prefix that carries it.
    pub const fn token_prefix(self) -> &'static str {
        match self {
            Self::Account => "dfoa_",
            Self::ExternalSso => "dfoe_",
        }
    }

    /// Reads it off a token.
    pub fn of_token(token: &str) -> Option<Self> {
        [Self::Account, Self::ExternalSso].into_iter().find(|kind| token.starts_with(kind.token_prefix()))
    }

    /// Its wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::ExternalSso => "external_sso",
        }
    }
}

/// Whom a session belongs to. Ownership of sessions is equality of subjects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A Dify account.
    Account {
        /// Its row in `accounts`.
        id: AccountId,
        /// Its email address when the token was minted.
        email: String,
    },
    /// An external identity, known by email and issuer.
    ExternalSso {
        /// The email address the provider asserted.
        email: String,
        /// The provider.
        issuer: String,
    },
}

impl Subject {
    /// Which kind it is.
    pub fn subject_type(&self) -> SubjectType {
        match self {
            Self::Account { .. } => SubjectType::Account,
            Self::ExternalSso { .. } => SubjectType::ExternalSso,
        }
    }

    /// Its email address.
    pub fn email(&self) -> &str {
        match self {
            Self::Account { email, .. } | Self::ExternalSso { email, .. } => email,
        }
    }

    /// Its issuer as SQL stores it: never null.
    pub fn stored_issuer(&self) -> &str {
        match self {
            Self::Account { .. } => ACCOUNT_ISSUER,
            Self::ExternalSso { issuer, .. } => issuer,
        }
    }

    /// Its issuer on the wire: null for accounts.
    pub fn wire_issuer(&self) -> Option<&str> {
        match self {
            Self::Account { .. } => None,
            Self::ExternalSso { issuer, .. } => Some(issuer),
        }
    }

    /// Its account, if it is one.
    pub fn account_id(&self) -> Option<AccountId> {
        match self {
            Self::Account { id, .. } => Some(*id),
            Self::ExternalSso { .. } => None,
        }
    }
}
