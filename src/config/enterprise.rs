//! The Enterprise edition and its service.

use url::Url;

use super::{
    reader::Reader,
    settings::{ENTERPRISE_API_SECRET_KEY, ENTERPRISE_API_URL, ENTERPRISE_ENABLED},
};
use crate::domain::secret::Secret;

#[derive(Clone, Debug)]
pub struct EnterpriseConfig {
    /// Whether the routes of the Enterprise edition are served.
    pub enabled: bool,
    /// `None`: the tables of this server decide.
    pub service: Option<EnterpriseService>,
}

#[derive(Clone, Debug)]
pub struct EnterpriseService {
    pub url: Url,
    /// Sent as `Enterprise-Api-Secret-Key`.
    pub secret_key: Secret,
}

impl EnterpriseConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let enabled = reader.flag(&ENTERPRISE_ENABLED);
        let url = reader.http_url(&ENTERPRISE_API_URL);
        let secret_key = reader.secret(&ENTERPRISE_API_SECRET_KEY);
        let service = match (url, secret_key) {
            (Some(url), Some(secret_key)) => Some(EnterpriseService { url, secret_key }),
            (Some(_), None) if enabled => {
                reader.problem(
                    &ENTERPRISE_API_SECRET_KEY,
                    "is not set although ENTERPRISE_API_URL is; copy it from the enterprise service",
                );
                None
            }
            _ => None,
        };
        Self { enabled, service: service.filter(|_| enabled) }
    }
}
