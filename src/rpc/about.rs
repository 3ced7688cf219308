//! Facts about this server.

/// Facts about this server that responses contain.
#[derive(Clone, Debug)]
pub struct About {
    /// The Dify version that the API is compatible with.
    pub version: String,
    /// `SELF_HOSTED` or `ENTERPRISE`.
    pub edition: &'static str,
    /// The issuer URL of this service, without a trailing slash.
    pub issuer: String,
    /// Whether responses contain `verification_uri_complete`.
    pub verification_uri_complete: bool,
}
