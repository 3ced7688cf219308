//! The cache of the enterprise service's answers, shared with Dify through Redis (contract section E1).

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;

use crate::domain::{
    Result,
    access_mode::LicenseStatus,
    id::{AccountId, AppId},
    stored::StoredValue,
};

/// Lifetime of the status of a valid license.
pub(crate) const VALID_LICENSE_LIFETIME: Duration = Duration::from_mins(10);
/// Lifetime of any other status, so that a renewed license is noticed soon.
pub(crate) const OTHER_LICENSE_LIFETIME: Duration = Duration::from_secs(30);
/// Lifetime of a permission.
pub(crate) const ALLOW_LIFETIME: Duration = Duration::from_mins(1);
/// Lifetime of a missing permission.
pub(crate) const DENY_LIFETIME: Duration = Duration::from_secs(10);

/// Every method fails with `service_unavailable`. The cache decides nothing: without it the enterprise service is
/// called.
#[async_trait]
pub trait EnterpriseCache: Send + Sync + 'static {
    async fn find_license(&self) -> Result<Option<StoredValue<LicenseStatus>>>;

    async fn put_license(&self, status: &StoredValue<LicenseStatus>) -> Result<()>;

    /// The cached permissions of an account. Apps without an entry are missing from the map.
    async fn find_permissions(&self, account: AccountId, apps: &[AppId]) -> Result<HashMap<AppId, bool>>;

    async fn put_permissions(&self, account: AccountId, permissions: &HashMap<AppId, bool>) -> Result<()>;
}

/// The lifetime of a license's status.
pub(crate) fn license_lifetime(status: &StoredValue<LicenseStatus>) -> Duration {
    if status.known().is_some_and(LicenseStatus::is_valid) { VALID_LICENSE_LIFETIME } else { OTHER_LICENSE_LIFETIME }
}

/// The lifetime of a permission or of a missing one.
pub(crate) const fn permission_lifetime(is_allowed: bool) -> Duration {
    if is_allowed { ALLOW_LIFETIME } else { DENY_LIFETIME }
}
