//! Facts about this server.

/// Facts about this server that responses contain.
#[derive(Clone, Debug)]
pub struct About {
    /// The Dify version that `_version` reports; `None` for the one that the client works with.
    pub version: Option<String>,
    /// Whether this is the Enterprise edition.
    pub enterprise: bool,
    /// The issuer URL of this service, without a trailing slash.
    pub issuer: String,
    /// Whether responses contain `verification_uri_complete`.
    pub verification_uri_complete: bool,
}
