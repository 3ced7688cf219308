//! Nodes: what every one has, and the data of each type.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{EdgeIx, LevelIx, raw::RawNode, refused};
use crate::{
    domain::{Error, Result},
    runtime::builtin::nodes::{
        aggregator, answer, assigner, end, http_request, if_else, iteration, llm, template_transform,
    },
};

/// Most attempts after the first, whatever the file says.
const RETRIES_MAX: u32 = 10;
/// Longest pause before another attempt, whatever the file says.
const RETRY_INTERVAL_MAX: Duration = Duration::from_mins(1);

/// A node of a checked graph.
#[derive(Debug)]
pub(crate) struct Node {
    /// Its id.
    pub id: Arc<str>,
    /// Its name, for people.
    pub title: String,
    /// What it does.
    pub kind: Kind,
    /// Where it stands.
    pub level: LevelIx,
    /// Its place among the nodes of its level that can run.
    pub slot: usize,
    /// How often it is tried again, if at all.
    pub retry: Option<Retry>,
    /// What becomes of the run when it fails for good.
    pub on_error: OnError,
    /// Edges that lead here from nodes that can run.
    pub incoming: Vec<EdgeIx>,
    /// Edges that leave.
    pub outgoing: Vec<EdgeIx>,
}

impl Node {
    /// Whether which of its edges are taken shows only when it has run.
    pub(crate) fn branches(&self) -> bool {
        matches!(self.kind, Kind::IfElse(_)) || matches!(self.on_error, OnError::FailBranch)
    }
}

/// What a node does.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Puts out the inputs of the run.
    Start,
    /// Asks a model.
    Llm(Box<llm::Data>),
    /// Says something to the person.
    Answer(answer::Data),
    /// Gives the run its outputs.
    End(end::Data),
    /// Renders a Jinja template.
    TemplateTransform(template_transform::Data),
    /// Chooses a branch.
    IfElse(if_else::Data),
    /// Takes the first of several variables that there is.
    Aggregator(aggregator::Data),
    /// Writes variables of the conversation.
    Assigner(assigner::Data),
    /// Sends an HTTP request.
    HttpRequest(Box<http_request::Data>),
    /// Runs its level for each item of a list.
    Iteration(iteration::Data),
    /// Where the inside of an iteration begins.
    IterationStart,
}

impl Kind {
    /// Its name on the wire.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Llm(_) => "llm",
            Self::Answer(_) => "answer",
            Self::End(_) => "end",
            Self::TemplateTransform(_) => "template-transform",
            Self::IfElse(_) => "if-else",
            Self::Aggregator(_) => "variable-aggregator",
            Self::Assigner(_) => "assigner",
            Self::HttpRequest(_) => "http-request",
            Self::Iteration(_) => "iteration",
            Self::IterationStart => "iteration-start",
        }
    }
}

/// How a failed node is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    /// Attempts after the first.
    pub times: u32,
    /// The pause before each.
    pub interval: Duration,
}

/// What becomes of the run when a node fails.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OnError {
    /// It fails as well.
    Abort,
    /// It goes on with these outputs in place of the node's own.
    DefaultValue(Map<String, Value>),
    /// It goes on along the node's `fail-branch`.
    FailBranch,
}

/// What the data of any node may hold.
#[derive(Deserialize)]
struct Common {
    #[serde(default)]
    retry_config: Option<RetryConfig>,
    #[serde(default)]
    error_strategy: Option<String>,
    #[serde(default)]
    default_value: Option<Vec<DefaultValue>>,
}

#[derive(Deserialize)]
struct RetryConfig {
    #[serde(default, deserialize_with = "or_default")]
    retry_enabled: bool,
    #[serde(default, deserialize_with = "or_default")]
    max_retries: u32,
    /// Milliseconds.
    #[serde(default, deserialize_with = "or_default")]
    retry_interval: f64,
}

#[derive(Deserialize)]
struct DefaultValue {
    key: String,
    #[serde(default)]
    value: Value,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

/// Makes a node's kind of its data.
type Reader = fn(&Value) -> serde_json::Result<Kind>;

/// How the data of a type is read; `None` of types that are not run here.
fn reader(kind: &str) -> Option<Reader> {
    let reader: Reader = match kind {
        "start" => |_| Ok(Kind::Start),
        "llm" => |data| Ok(Kind::Llm(Box::new(typed(data)?))),
        "answer" => |data| Ok(Kind::Answer(typed(data)?)),
        "end" => |data| Ok(Kind::End(typed(data)?)),
        "template-transform" => |data| Ok(Kind::TemplateTransform(typed(data)?)),
        "if-else" => |data| Ok(Kind::IfElse(typed(data)?)),
        "variable-aggregator" | "variable-assigner" => |data| Ok(Kind::Aggregator(typed(data)?)),
        "assigner" => |data| Ok(Kind::Assigner(typed(data)?)),
        "http-request" => |data| Ok(Kind::HttpRequest(Box::new(typed(data)?))),
        "iteration" => |data| Ok(Kind::Iteration(typed(data)?)),
        "iteration-start" => |_| Ok(Kind::IterationStart),
        _ => return None,
    };
    Some(reader)
}

/// Whether nodes of this type are run here.
pub(crate) fn is_run(kind: &str) -> bool {
    reader(kind).is_some()
}

/// Refuses a node of a type that is not run here.
pub(super) fn check_kind(raw: &RawNode<'_>) -> Result<()> {
    if is_run(raw.kind) { Ok(()) } else { Err(unsupported(raw)) }
}

fn unsupported(raw: &RawNode<'_>) -> Error {
    refused(format!("{} is not supported here", place(raw)))
}

fn place(raw: &RawNode<'_>) -> String {
    format!("the node \"{}\" ({}) of type {}", raw.title, raw.id, raw.kind)
}

/// The node's data, understood. Says which node and what is wrong with it.
pub(super) fn read(raw: &RawNode<'_>, level: LevelIx) -> Result<Node> {
    let place = || place(raw);
    let wrong = |fault: serde_json::Error| refused(format!("{}: {fault}", place()));
    let kind = reader(raw.kind).ok_or_else(|| unsupported(raw))?(raw.data).map_err(wrong)?;
    let common: Common = typed(raw.data).map_err(wrong)?;
    let on_error = match common.error_strategy.as_deref() {
        None | Some("" | "none") => OnError::Abort,
        Some("fail-branch") => OnError::FailBranch,
        Some("default-value") => {
            let defaults = common.default_value.unwrap_or_default().into_iter().map(default_value);
            OnError::DefaultValue(
                defaults.collect::<Result<_, String>>().map_err(|fault| refused(format!("{}: {fault}", place())))?,
            )
        }
        Some(other) => return Err(refused(format!("{}: unknown error_strategy `{other}`", place()))),
    };
    Ok(Node {
        id: raw.id.into(),
        title: raw.title.to_owned(),
        kind,
        level,
        slot: usize::MAX,
        retry: common.retry_config.as_ref().and_then(retry),
        on_error,
        incoming: Vec::new(),
        outgoing: Vec::new(),
    })
}

fn retry(config: &RetryConfig) -> Option<Retry> {
    let milliseconds = Duration::try_from_secs_f64(config.retry_interval / 1000.0).unwrap_or_default();
    (config.retry_enabled && config.max_retries > 0)
        .then(|| Retry { times: config.max_retries.min(RETRIES_MAX), interval: milliseconds.min(RETRY_INTERVAL_MAX) })
}

/// A default may be written as text where its type is not text: then the text is JSON.
fn default_value(DefaultValue { key, value, kind }: DefaultValue) -> Result<(String, Value), String> {
    let value = match (kind.as_deref(), value) {
        (None | Some("string"), value) => value,
        (Some(kind), Value::String(text)) => {
            serde_json::from_str(&text).map_err(|fault| format!("the default of {key} is not a {kind}: {fault}"))?
        }
        (Some(_), value) => value,
    };
    Ok((key, value))
}

fn typed<'a, T: Deserialize<'a>>(data: &'a Value) -> Result<T, serde_json::Error> {
    T::deserialize(data)
}

/// Null reads as the default: Dify's editor writes null for what was cleared.
pub(in crate::runtime::builtin) fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
