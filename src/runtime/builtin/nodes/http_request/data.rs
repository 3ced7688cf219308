//! The node's data.

use serde::Deserialize;

use super::{body::RequestBody, lines::KeyValueLines};
use crate::runtime::builtin::{
    json::{count, or_default},
    variables::{selector::Selector, text::TextTemplate},
};

#[derive(Debug, Deserialize)]
pub(crate) struct HttpRequestNodeData {
    pub(super) method: String,
    pub(super) url: TextTemplate,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) authorization: Authorization,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) headers: KeyValueLines,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) params: KeyValueLines,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) body: RequestBody,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) timeout: RequestTimeout,
}

impl HttpRequestNodeData {
    /// The variable of the first file that the request sends.
    pub(crate) fn file_variable(&self) -> Option<&Selector> {
        self.body.file()
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Authorization {
    #[serde(default, rename = "type")]
    pub(super) kind: AuthorizationKind,
    #[serde(default)]
    pub(super) config: Option<AuthorizationConfig>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AuthorizationKind {
    #[default]
    NoAuth,
    ApiKey,
    /// This service's own.
    Connection,
}

#[derive(Debug, Deserialize)]
pub(super) struct AuthorizationConfig {
    #[serde(default, rename = "type")]
    pub(super) kind: Option<ApiKeyKind>,
    #[serde(default, rename = "api_key", deserialize_with = "or_default")]
    pub(super) secret: TextTemplate,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) header: String,
    /// Of a connection: `organization/plugin/provider`.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) provider: String,
    /// Of a connection: its id.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) credential_id: String,
    /// Of a connection: the field of its values; empty for the usual one.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) field: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ApiKeyKind {
    Basic,
    Bearer,
    #[default]
    Custom,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RequestTimeout {
    /// Seconds; 0: the default.
    #[serde(default, deserialize_with = "count")]
    pub(super) read: u64,
}
