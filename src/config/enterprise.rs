//! Dify Enterprise: the edition, and the service behind it.

use url::Url;

use super::reader::Reader;
use crate::domain::secret::Secret;

/// The enterprise section.
#[derive(Clone, Debug)]
pub struct Enterprise {
    /// `ENTERPRISE_ENABLED`: whether routes of the Enterprise edition exist.
    pub enabled: bool,
    /// The enterprise service; without one, this server's own tables decide.
    pub service: Option<EnterpriseService>,
}

/// How the enterprise service is reached.
#[derive(Clone, Debug)]
pub struct EnterpriseService {
    /// `ENTERPRISE_API_URL`.
    pub url: Url,
    /// `ENTERPRISE_API_SECRET_KEY`, sent as `Enterprise-Api-Secret-Key`.
    pub secret_key: Secret,
}

impl Enterprise {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let enabled = reader.flag("ENTERPRISE_ENABLED", false);
        if enabled {
            reader.warning(
                "ENTERPRISE_ENABLED",
                "is true, but this version cannot read who may use which app, so every app route answers 503; leave it out to serve apps",
            );
        }
        let url = reader.http_url("ENTERPRISE_API_URL");
        let secret_key = reader.secret("ENTERPRISE_API_SECRET_KEY");
        let service = match (url, secret_key) {
            (Some(url), Some(secret_key)) => Some(EnterpriseService { url, secret_key }),
            (Some(_), None) if enabled => {
                reader.problem(
                    "ENTERPRISE_API_SECRET_KEY",
                    "is not set although ENTERPRISE_API_URL is; copy it from the enterprise service",
                );
                None
            }
            _ => None,
        };
        Self { enabled, service: service.filter(|_| enabled) }
    }
}
