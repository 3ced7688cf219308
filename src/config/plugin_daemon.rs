//! Dify's plugin daemon, which runs the plugins of providers.

use http::HeaderValue;
use url::Url;

use super::{
    reader::Reader,
    settings::{PLUGIN_DAEMON_KEY, PLUGIN_DAEMON_URL},
};
use crate::domain::secret::Secret;

#[derive(Clone, Debug)]
pub struct PluginDaemon {
    pub url: Url,
    /// Sent as `X-Api-Key`.
    pub key: Secret,
}

impl PluginDaemon {
    /// `None` without a URL.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (url, key) = (reader.http_url(&PLUGIN_DAEMON_URL)?, reader.secret(&PLUGIN_DAEMON_KEY));
        if key.is_none() {
            reader.problem(
                &PLUGIN_DAEMON_KEY,
                "is not set although PLUGIN_DAEMON_URL is; copy it from the plugin daemon (`SERVER_KEY`)",
            );
        }
        let key = key?;
        if HeaderValue::from_str(key.expose()).is_err() {
            reader.problem(&PLUGIN_DAEMON_KEY, "has characters that an HTTP header cannot hold");
        }
        Some(Self { url, key })
    }
}
