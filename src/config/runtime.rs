//! Running apps: the models, what bounds a run, and where the HTTP node may go.

use std::{collections::HashMap, time::Duration};

use ipnet::IpNet;
use url::Url;

use super::reader::Reader;
use crate::domain::{app::full_provider, secret::Secret};

/// `OpenAI`'s own endpoint, for whoever sets a key and nothing else.
const OPENAI: &str = "https://api.openai.com/v1";
/// A day: longer than any run, short enough to be a bound.
const LONGEST_RUN: u64 = 86_400;

/// The runtime section.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// Where models other than `echo` are asked.
    pub openai: Option<OpenAiEndpoint>,
    /// `ECHO_PACE_MS`: the demo model's wait before each word.
    pub echo_pace: Duration,
    /// `APP_MAX_EXECUTION_TIME`: wall clock of one run.
    pub max_execution_time: Duration,
    /// `APP_MAX_ACTIVE_REQUESTS`: runs of one app at the same time, over all replicas; 0 is unlimited.
    pub max_active_requests: u32,
    /// `MAX_RUNS_PER_PROCESS`: runs of all apps at the same time in this process.
    pub max_runs: usize,
    /// `HTTP_REQUEST_ALLOWED_NETWORKS`: private networks that the HTTP node may reach all the same.
    pub allowed_networks: Vec<IpNet>,
}

/// An endpoint that speaks `OpenAI`'s chat completions.
#[derive(Clone, Debug)]
pub struct OpenAiEndpoint {
    /// `OPENAI_BASE_URL`.
    pub base_url: Url,
    /// `OPENAI_API_KEY`.
    pub api_key: Option<Secret>,
    /// `OPENAI_MODELS`: the endpoint's names by the DSL's provider and name.
    pub names: HashMap<(String, String), String>,
}

impl Runtime {
    pub(super) fn read(reader: &mut Reader<'_>, dev: bool) -> Self {
        Self {
            openai: OpenAiEndpoint::read(reader),
            // People watch a demo; nobody waits for one that was not meant to be watched.
            echo_pace: Duration::from_millis(reader.number("ECHO_PACE_MS", if dev { 30 } else { 0 }, 0..=10_000)),
            max_execution_time: Duration::from_secs(reader.number("APP_MAX_EXECUTION_TIME", 1_200, 1..=LONGEST_RUN)),
            max_active_requests: reader.number("APP_MAX_ACTIVE_REQUESTS", 0, 0..=1_000_000),
            max_runs: reader.number("MAX_RUNS_PER_PROCESS", 2_000, 1..=1_000_000),
            allowed_networks: reader
                .networks("HTTP_REQUEST_ALLOWED_NETWORKS", "networks or addresses like 10.1.0.0/16,192.168.1.7"),
        }
    }
}

impl OpenAiEndpoint {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let given = reader.text("OPENAI_BASE_URL").is_some();
        let base_url = reader.http_url("OPENAI_BASE_URL");
        if base_url.as_ref().is_some_and(|url| url.query().is_some() || url.fragment().is_some()) {
            reader.problem("OPENAI_BASE_URL", "has a query or fragment; write it like http://127.0.0.1:11434/v1");
        }
        let api_key = reader.secret("OPENAI_API_KEY");
        if api_key.as_ref().is_some_and(|key| !key.expose().bytes().all(|byte| byte.is_ascii_graphic())) {
            reader.problem(
                "OPENAI_API_KEY",
                "contains white space or other characters that keys never have; copy it again",
            );
        }
        let names = read_names(reader);
        let base_url = match (base_url, &api_key) {
            (Some(url), _) => url,
            (None, Some(_)) if !given => Url::parse(OPENAI).ok()?,
            _ if !names.is_empty() && !given => {
                reader.problem("OPENAI_MODELS", "is set but OPENAI_BASE_URL is not; set that too");
                return None;
            }
            _ => return None,
        };
        Some(Self { base_url, api_key, names })
    }
}

/// `provider:model=name,…`.
fn read_names(reader: &mut Reader<'_>) -> HashMap<(String, String), String> {
    const NAME: &str = "OPENAI_MODELS";
    let mut names = HashMap::new();
    for part in reader.list(NAME).unwrap_or_default() {
        let halves = part.split_once('=').and_then(|(known, name)| Some((known.trim().split_once(':')?, name.trim())));
        match halves {
            Some(((provider, model), name)) if ![provider, model, name].contains(&"") => {
                names.insert((full_provider(provider), model.to_owned()), name.to_owned());
            }
            _ => reader.problem(
                NAME,
                format_args!(
                    "contains `{part}`; write provider:model=name, like langgenius/openai/openai:gpt-4o=llama3"
                ),
            ),
        }
    }
    names
}
