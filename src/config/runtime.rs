//! The runtime of apps: its models, the limits of runs, and the private networks that HTTP nodes may reach.

use std::{collections::HashMap, time::Duration};

use ipnet::IpNet;
use url::Url;

use super::{
    reader::Reader,
    settings::{self, OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODELS},
};
use crate::domain::{app::full_provider, secret::Secret};

/// The endpoint if only `OPENAI_API_KEY` is set.
const OPENAI_URL: &str = "https://api.openai.com/v1";
/// The address at which most clouds serve a machine's credentials.
const METADATA: &str = "169.254.169.254";
const MAX_EXECUTION_SECONDS: u64 = 86_400;
/// A year.
const MAX_FORM_TIMEOUT_SECONDS: u64 = 31_536_000;

#[derive(Clone, Debug)]
pub struct Runtime {
    /// The endpoint of models except `echo`.
    pub openai: Option<OpenAiEndpoint>,
    /// Pause of the demo model before each word.
    pub echo_pace: Duration,
    /// Maximum duration of one run.
    pub max_execution_time: Duration,
    /// Longest time that a run waits for a form.
    pub form_timeout: Duration,
    /// Maximum of concurrent runs of one app, over all replicas; 0 is unlimited.
    pub max_active_requests: u32,
    /// Maximum of concurrent runs in this process.
    pub max_runs: usize,
    /// Private networks that HTTP nodes may reach.
    pub allowed_networks: Vec<IpNet>,
}

/// An endpoint that implements `OpenAI`'s chat completions.
#[derive(Clone, Debug)]
pub struct OpenAiEndpoint {
    pub base_url: Url,
    pub api_key: Option<Secret>,
    /// The endpoint's names of models, by provider and name in the DSL.
    pub names: HashMap<(String, String), String>,
}

impl Runtime {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let allowed_networks = reader
            .networks(&settings::HTTP_REQUEST_ALLOWED_NETWORKS, "networks or addresses like 10.1.0.0/16,192.168.1.7");
        if allowed_networks.iter().any(includes_metadata) {
            reader.warning(
                &settings::HTTP_REQUEST_ALLOWED_NETWORKS,
                format_args!(
                    "includes link-local addresses, so apps can read the machine's credentials at the metadata address \
                     {METADATA}; list only the networks that apps need"
                ),
            );
        }
        Self {
            openai: OpenAiEndpoint::read(reader),
            echo_pace: Duration::from_millis(reader.number(&settings::ECHO_PACE_MS, 0..=10_000)),
            max_execution_time: Duration::from_secs(
                reader.number(&settings::APP_MAX_EXECUTION_TIME, 1..=MAX_EXECUTION_SECONDS),
            ),
            form_timeout: Duration::from_secs(
                reader.number(&settings::HITL_GLOBAL_TIMEOUT_SECONDS, 1..=MAX_FORM_TIMEOUT_SECONDS),
            ),
            max_active_requests: reader.number(&settings::APP_MAX_ACTIVE_REQUESTS, 0..=1_000_000),
            max_runs: reader.number(&settings::MAX_RUNS_PER_PROCESS, 1..=1_000_000),
            allowed_networks,
        }
    }
}

impl OpenAiEndpoint {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let given = reader.text(&OPENAI_BASE_URL).is_some();
        let base_url = reader.http_url(&OPENAI_BASE_URL);
        if base_url.as_ref().is_some_and(|url| url.query().is_some() || url.fragment().is_some()) {
            reader.problem(&OPENAI_BASE_URL, "has a query or fragment; write it like http://127.0.0.1:11434/v1");
        }
        let api_key = reader.secret(&OPENAI_API_KEY);
        if api_key.as_ref().is_some_and(|key| !key.expose().bytes().all(|byte| byte.is_ascii_graphic())) {
            reader.problem(
                &OPENAI_API_KEY,
                "contains white space or other characters that keys never have; copy it again",
            );
        }
        let names = read_names(reader);
        let base_url = match (base_url, &api_key) {
            (Some(url), _) => url,
            (None, Some(_)) if !given => Url::parse(OPENAI_URL).ok()?,
            _ if !names.is_empty() && !given => {
                reader.problem(&OPENAI_MODELS, "is set but OPENAI_BASE_URL is not; set that too");
                return None;
            }
            _ => return None,
        };
        Some(Self { base_url, api_key, names })
    }
}

/// Whether a network overlaps the addresses at which clouds serve metadata: link-local ones, and `fd00:ec2::254` of
/// AWS.
fn includes_metadata(network: &IpNet) -> bool {
    let overlaps = |metadata: &IpNet| network.contains(metadata) || metadata.contains(network);
    ["169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128"]
        .iter()
        .filter_map(|text| text.parse().ok())
        .any(|net| overlaps(&net))
}

/// Parses `provider:model=name,…`.
fn read_names(reader: &mut Reader<'_>) -> HashMap<(String, String), String> {
    let mut names = HashMap::new();
    for part in reader.list(&OPENAI_MODELS) {
        let parsed = part.split_once('=').and_then(|(known, name)| Some((known.trim().split_once(':')?, name.trim())));
        match parsed {
            Some(((provider, model), name)) if ![provider, model, name].contains(&"") => {
                names.insert((full_provider(provider), model.to_owned()), name.to_owned());
            }
            _ => reader.problem(
                &OPENAI_MODELS,
                format_args!(
                    "contains `{part}`; write provider:model=name, like langgenius/openai/openai:gpt-4o=llama3"
                ),
            ),
        }
    }
    names
}
