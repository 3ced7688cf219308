//! Access modes of apps and the state of the license in the Enterprise edition (contract sections E1 and 11).

use super::{stored::stored_words, subject::SubjectType};

stored_words! {
    /// Who may use an app. Any other word denies access.
    AccessMode {
        /// Accounts and external identities.
        Public = "public",
        /// Accounts and external identities.
        SsoVerified = "sso_verified",
        /// Every account of the app's workspace.
        PrivateAll = "private_all",
        /// The accounts that the enterprise service, or the list of allowed accounts, names.
        Private = "private",
    }
}

/// The decision of an access mode about a kind of subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Allowed,
    Denied,
    /// The permission of the account decides.
    ByPermission,
}

impl AccessMode {
    /// Decides for a kind of subject. A member of the app's workspace is meant where the subject is an account.
    pub const fn access_of(self, subject_type: SubjectType) -> Access {
        match (self, subject_type) {
            (Self::Public | Self::SsoVerified, _) | (Self::PrivateAll, SubjectType::Account) => Access::Allowed,
            (Self::Private, SubjectType::Account) => Access::ByPermission,
            (Self::PrivateAll | Self::Private, SubjectType::ExternalSso) => Access::Denied,
        }
    }
}

stored_words! {
    /// The status of the enterprise license.
    LicenseStatus {
        Active = "active",
        Expiring = "expiring",
        None = "none",
        Inactive = "inactive",
        Expired = "expired",
        Lost = "lost",
    }
}

impl LicenseStatus {
    /// Whether the routes of the Enterprise edition are open.
    pub const fn is_valid(self) -> bool {
        matches!(self, Self::Active | Self::Expiring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::stored::StoredWord as _;

    #[test]
    fn access_follows_the_contract() {
        use Access::{Allowed, ByPermission, Denied};
        for (mode, account, external) in [
            ("public", Allowed, Allowed),
            ("sso_verified", Allowed, Allowed),
            ("private_all", Allowed, Denied),
            ("private", ByPermission, Denied),
        ] {
            let mode = AccessMode::parse(mode).unwrap();
            assert_eq!(mode.access_of(SubjectType::Account), account, "{mode:?}");
            assert_eq!(mode.access_of(SubjectType::ExternalSso), external, "{mode:?}");
        }
        for unknown in ["", "PUBLIC", "internal", "public ", "everyone"] {
            assert_eq!(AccessMode::parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn only_active_and_expiring_licenses_are_valid() {
        let valid = LicenseStatus::ALL.iter().filter(|status| status.is_valid());
        assert_eq!(valid.map(|status| status.as_str()).collect::<Vec<_>>(), ["active", "expiring"]);
        assert_eq!(LicenseStatus::parse("Active"), None);
    }
}
