//! The command that the configuration is for, and the kind of deployment.

use std::time::Duration;

use url::Url;

use super::{reader::Reader, settings};

/// The command that the configuration is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Dev,
    /// `serve` and the operator's commands; `development` is `DEPLOY_ENV=DEVELOPMENT`.
    Serve {
        development: bool,
    },
}

impl Mode {
    /// Whether weak secrets are warnings, and plain HTTP is accepted.
    pub const fn is_development(self) -> bool {
        matches!(self, Self::Dev | Self::Serve { development: true })
    }
}

#[expect(clippy::struct_excessive_bools, reason = "independent switches of a deployment")]
#[derive(Clone, Debug)]
pub struct Deployment {
    pub mode: Mode,
    /// `None`: the tables of the database decide.
    pub beside_dify: Option<bool>,
    /// The operator states that there is one process, so short-lived state may be kept in it.
    pub single_replica: bool,
    /// From SIGTERM to the end of the process.
    pub shutdown_timeout: Duration,
    /// For `_version`. When unset, the version of the client decides.
    pub dify_version: Option<String>,
    /// Dify's service API, which runs are forwarded to.
    pub dify_api_url: Option<Url>,
    /// Whether `workspace_id` is also required to run an app and to describe one by id.
    pub strict_workspace_id: bool,
    /// Whether connections are served beside Dify, too.
    pub connections: bool,
    pub grpc_reflection: bool,
    /// Whether `/docs` is served.
    pub api_reference: bool,
}

impl Deployment {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let development =
            reader.text(&settings::DEPLOY_ENV).is_some_and(|name| name.eq_ignore_ascii_case("DEVELOPMENT"));
        let mode = if reader.is_dev() { Mode::Dev } else { Mode::Serve { development } };
        let dify_version = reader.text(&settings::DIFY_VERSION);
        if let Some(version) = &dify_version
            && (version.split('.').count() != 3 || !version.starts_with(|first: char| first.is_ascii_digit()))
        {
            reader.problem(&settings::DIFY_VERSION, format_args!("is `{version}`; write a version like 1.14.2"));
        }
        Self {
            mode,
            beside_dify: reader.optional_flag(&settings::BESIDE_DIFY),
            single_replica: reader.flag(&settings::SINGLE_REPLICA),
            shutdown_timeout: Duration::from_secs(reader.number(&settings::SHUTDOWN_TIMEOUT, 5..=3_600)),
            dify_version,
            dify_api_url: reader.http_url(&settings::DIFY_API_URL),
            strict_workspace_id: reader.flag(&settings::OPENAPI_STRICT_WORKSPACE_ID),
            connections: reader.flag(&settings::ENABLE_CONNECTIONS),
            grpc_reflection: reader.flag(&settings::GRPC_REFLECTION),
            api_reference: reader.flag(&settings::API_REFERENCE),
        }
    }
}
