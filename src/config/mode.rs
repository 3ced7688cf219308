//! What kind of server this is: which command runs it, and what it runs beside.

use url::Url;

use super::reader::Reader;

/// Which command the configuration is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `dev`: one person on one machine.
    Dev,
    /// `serve` and the operator's commands; `development` is `DEPLOY_ENV=DEVELOPMENT`.
    Serve {
        /// Whether well-known secrets and plain http are let through.
        development: bool,
    },
}

impl Mode {
    /// Whether checks that protect other people are relaxed.
    pub const fn is_development(self) -> bool {
        matches!(self, Self::Dev | Self::Serve { development: true })
    }
}

/// The deployment as a whole.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Which command the configuration is for.
    pub mode: Mode,
    /// Whether this runs beside Dify; `None`: see whether the database is Dify's.
    pub beside_dify: Option<bool>,
    /// The operator promises that there is one process, so that state may stay in it.
    pub single_replica: bool,
    /// The Dify version whose API this is, for `_version`.
    pub dify_version: String,
    /// Dify's service API, where app runs are forwarded to.
    pub dify_api_url: Option<Url>,
    /// Whether `workspace_id` is required wherever the specification says so.
    pub strict_workspace_id: bool,
    /// Whether gRPC reflection is served.
    pub grpc_reflection: bool,
}

impl Deployment {
    pub(super) fn read(reader: &mut Reader<'_>, dev: bool) -> Self {
        let environment = reader.text("DEPLOY_ENV").unwrap_or_else(|| "PRODUCTION".to_owned());
        let mode =
            if dev { Mode::Dev } else { Mode::Serve { development: environment.eq_ignore_ascii_case("DEVELOPMENT") } };
        let dify_version = reader.text("DIFY_VERSION").unwrap_or_else(|| "1.14.2".to_owned());
        if dify_version.split('.').count() != 3 || !dify_version.starts_with(|first: char| first.is_ascii_digit()) {
            reader.problem("DIFY_VERSION", format_args!("is `{dify_version}`; write a version like 1.14.2"));
        }
        Self {
            mode,
            beside_dify: reader.optional_flag("BESIDE_DIFY"),
            single_replica: reader.flag("SINGLE_REPLICA", false) || dev,
            dify_version,
            dify_api_url: reader.http_url("DIFY_API_URL"),
            strict_workspace_id: reader.flag("OPENAPI_STRICT_WORKSPACE_ID", false),
            grpc_reflection: reader.flag("GRPC_REFLECTION", dev),
        }
    }
}
