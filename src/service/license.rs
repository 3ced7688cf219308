//! The license of the Enterprise edition (contract section 4, step 8).

use std::sync::Arc;

use crate::{
    domain::{Code, Error, Result},
    ports::enterprise::Enterprise,
};

#[derive(Clone)]
pub struct Licenses(Option<Arc<dyn Enterprise>>);

impl Licenses {
    /// `None` is the community edition, which has no license.
    pub fn new(enterprise: Option<Arc<dyn Enterprise>>) -> Self {
        Self(enterprise)
    }

    /// Whether there is a valid license. Fails with `service_unavailable` when that is unknown.
    pub(super) async fn is_valid(&self) -> Result<bool> {
        match &self.0 {
            Some(enterprise) => enterprise.has_valid_license().await,
            None => Ok(false),
        }
    }

    /// Fails with `license_required` without a valid license.
    pub async fn require(&self) -> Result<()> {
        if self.is_valid().await? {
            return Ok(());
        }
        Err(Error::new(Code::LicenseRequired, "A valid enterprise license is required.")
            .with_hint("Ask the operator of this server to renew the license."))
    }
}
