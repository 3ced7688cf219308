//! The pipeline's settings.

use crate::domain::secret::Secret;

#[expect(clippy::struct_excessive_bools, reason = "independent switches of a deployment")]
#[derive(Clone, Debug)]
pub struct PipelineSettings {
    /// Whether bearer tokens are accepted at all.
    pub bearers_enabled: bool,
    /// Whether this is the Enterprise edition.
    pub enterprise: bool,
    /// Whether this service has browser sessions of its own.
    pub standalone: bool,
    /// Whether this service serves connections.
    pub connections: bool,
    /// The key of internal services. Without one their methods are absent.
    pub service_key: Option<Secret>,
    /// Origins of this service's own pages, as browsers write them.
    pub origins: Vec<String>,
    /// Origins of other sites that may call from a browser; `None` allows every origin.
    pub cross_origins: Option<Vec<String>>,
    /// Full name of the access cookie.
    pub access_cookie: String,
    /// Full name of the CSRF cookie.
    pub csrf_cookie: String,
}
