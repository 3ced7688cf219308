//! The command that the configuration is for, and the kind of deployment.

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

#[derive(Clone, Debug)]
pub struct Deployment {
    pub mode: Mode,
    /// `None`: the tables of the database decide.
    pub beside_dify: Option<bool>,
    /// The operator states that there is one process, so short-lived state may be kept in it.
    pub single_replica: bool,
    /// For `_version`.
    pub dify_version: String,
    /// Dify's service API, which runs are forwarded to.
    pub dify_api_url: Option<Url>,
    /// Whether `workspace_id` is also required to run an app and to describe one by id.
    pub strict_workspace_id: bool,
    pub grpc_reflection: bool,
}

impl Deployment {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let development =
            reader.text(&settings::DEPLOY_ENV).is_some_and(|name| name.eq_ignore_ascii_case("DEVELOPMENT"));
        let mode = if reader.is_dev() { Mode::Dev } else { Mode::Serve { development } };
        let dify_version = reader.text(&settings::DIFY_VERSION).unwrap_or_default();
        if dify_version.split('.').count() != 3 || !dify_version.starts_with(|first: char| first.is_ascii_digit()) {
            reader.problem(&settings::DIFY_VERSION, format_args!("is `{dify_version}`; write a version like 1.14.2"));
        }
        Self {
            mode,
            beside_dify: reader.optional_flag(&settings::BESIDE_DIFY),
            single_replica: reader.flag(&settings::SINGLE_REPLICA),
            dify_version,
            dify_api_url: reader.http_url(&settings::DIFY_API_URL),
            strict_workspace_id: reader.flag(&settings::OPENAPI_STRICT_WORKSPACE_ID),
            grpc_reflection: reader.flag(&settings::GRPC_REFLECTION),
        }
    }
}
