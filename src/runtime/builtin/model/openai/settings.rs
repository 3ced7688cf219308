//! How the endpoint is reached.

use std::{collections::HashMap, sync::Arc, time::Duration};

use url::Url;

use crate::{domain::secret::Secret, http_client::HttpClients, telemetry::metrics::upstreams::UpstreamMetrics};

#[derive(Clone, Debug)]
pub(crate) struct OpenAiSettings {
    /// The URL before `/chat/completions`, such as `https://api.openai.com/v1`.
    pub base_url: Url,
    /// The bearer token; local endpoints often need none.
    pub api_key: Option<Secret>,
    /// The endpoint's names of models, by the DSL's provider and model name. Models that are not listed keep their
    /// names.
    pub names: HashMap<(String, String), String>,
    /// Longest time until the answer begins.
    pub first_byte_timeout: Duration,
    /// Longest pause within an answer.
    pub idle_timeout: Duration,
    /// Counts the requests.
    pub metrics: Arc<UpstreamMetrics>,
    pub clients: HttpClients,
}
