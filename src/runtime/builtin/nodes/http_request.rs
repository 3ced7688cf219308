//! `http-request`: sends an HTTP request.

mod body;
mod request;
mod response;

use serde::{Deserialize, Deserializer};

use self::body::Body;
use super::outcome::{NodeError, NodeOutcome, NodeResult, NodeRun};
use crate::runtime::{
    builtin::{
        json::{JsonObject, or_default},
        secret_masks::SecretMasks,
        variables::{pool::VariableView, text::TextTemplate},
    },
    outbound::RunOutboundClient,
};

/// Its data.
#[derive(Debug, Deserialize)]
pub(crate) struct HttpRequestNodeData {
    method: String,
    url: TextTemplate,
    #[serde(default, deserialize_with = "or_default")]
    authorization: Authorization,
    #[serde(default, deserialize_with = "or_default")]
    headers: Lines,
    #[serde(default, deserialize_with = "or_default")]
    params: Lines,
    #[serde(default, deserialize_with = "or_default")]
    body: Body,
    #[serde(default, deserialize_with = "or_default")]
    timeout: Timeout,
}

#[derive(Debug, Default, Deserialize)]
struct Authorization {
    #[serde(default, rename = "type")]
    kind: AuthorizationKind,
    #[serde(default)]
    config: Option<Key>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AuthorizationKind {
    #[default]
    NoAuth,
    ApiKey,
}

#[derive(Debug, Deserialize)]
struct Key {
    #[serde(default, rename = "type", deserialize_with = "or_default")]
    kind: KeyKind,
    #[serde(default, rename = "api_key", deserialize_with = "or_default")]
    secret: TextTemplate,
    #[serde(default, deserialize_with = "or_default")]
    header: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KeyKind {
    Basic,
    Bearer,
    #[default]
    Custom,
}

#[derive(Debug, Default, Deserialize)]
struct Timeout {
    /// Seconds.
    #[serde(default, deserialize_with = "or_default")]
    read: u64,
}

/// Lines of `key:value`. They are lines before their references are filled in: a value never makes another line.
#[derive(Debug, Default)]
struct Lines(Vec<(TextTemplate, TextTemplate)>);

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

impl Lines {
    fn parse(source: &str) -> Self {
        let lines = source.lines().map(|line| line.split_once(':').unwrap_or((line, "")));
        let named = lines.map(|(name, value)| (name.trim(), value.trim())).filter(|(name, _)| !name.is_empty());
        Self(named.map(|(name, value)| (TextTemplate::parse(name), TextTemplate::parse(value))).collect())
    }
}

/// What a run of the node needs from around it.
pub(crate) struct HttpRequestContext<'a> {
    /// What it reads.
    pub view: VariableView<'a>,
    /// Sends the request.
    pub outbound: &'a RunOutboundClient,
    /// Longest text of any part of the request, in bytes.
    pub limit: usize,
    /// What nobody is told of the request.
    pub masks: &'a SecretMasks,
    /// Whether an unsuccessful answer is a failure: only where the graph handles failures.
    pub strict: bool,
    /// Keeps the parts of a form apart.
    pub boundary: String,
}

/// Sends it.
pub(crate) fn start(data: &HttpRequestNodeData, around: &HttpRequestContext<'_>) -> NodeRun {
    let (request, told) = match request::build(data, around) {
        Ok(built) => built,
        Err(failure) => return NodeRun::Ready(Err(failure)),
    };
    let (outbound, strict) = (around.outbound.clone(), around.strict);
    NodeRun::Pending(Box::pin(async move {
        let mut process_data = JsonObject::new();
        process_data.insert("request".to_owned(), told.into());
        match outbound.send(request, response::limit).await {
            Ok(response) => ended(&response, process_data, strict),
            Err(fault) => {
                Err(NodeError::new("HttpRequestNodeError", fault.to_string()).with_process_data(process_data))
            }
        }
    }))
}

fn ended(response: &crate::runtime::outbound::OutboundResponse, process_data: JsonObject, strict: bool) -> NodeResult {
    let outputs = match response::outputs(response) {
        Ok(outputs) => outputs,
        Err(failure) => return Err(failure.with_process_data(process_data)),
    };
    if strict && !response.status.is_success() {
        let message = format!("Request failed with status code {}", response.status.as_u16());
        let failure = NodeError::new("HTTPResponseCodeError", message).with_process_data(process_data);
        return Err(Box::new(NodeError { outputs, ..*failure }));
    }
    Ok(NodeOutcome { process_data, outputs, ..NodeOutcome::default() })
}

#[cfg(test)]
mod tests;
