//! Reads the data of a node.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Number, Value};

use super::{
    data_error::{NodeDataError, typed},
    error::invalid_graph,
    index::LevelIx,
    node::{Node, NodeKind, OnError, Retry},
    raw::RawNode,
    topology::Graph,
};
use crate::{
    domain::Result,
    runtime::builtin::{
        json::{JsonObject, count, flag, number},
        nodes::{llm::LlmNodeData, template_transform::TemplateTransformNodeData, tool},
    },
};

/// Largest number of attempts after the first, also when the file has a larger one.
const MAX_RETRIES: u32 = 10;
/// Longest pause before another attempt, also when the file has a larger one.
const MAX_RETRY_INTERVAL: Duration = Duration::from_mins(1);

/// The members that the data of every node may have.
#[derive(Deserialize)]
struct CommonData {
    #[serde(default)]
    retry_config: Option<RetryConfig>,
    #[serde(default)]
    error_strategy: Option<String>,
    #[serde(default)]
    default_value: Option<Vec<DefaultValue>>,
}

#[derive(Deserialize)]
struct RetryConfig {
    #[serde(default, deserialize_with = "flag")]
    retry_enabled: bool,
    #[serde(default, deserialize_with = "count")]
    max_retries: u64,
    /// Milliseconds.
    #[serde(default, deserialize_with = "number")]
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

type DataReader = fn(&Value) -> Result<NodeKind, NodeDataError>;

/// Returns `None` for a type that is not supported here.
fn data_reader(kind: &str) -> Option<DataReader> {
    let reader: DataReader = match kind {
        "start" => |_| Ok(NodeKind::Start),
        "llm" => llm,
        "answer" => |data| Ok(NodeKind::Answer(typed(data)?)),
        "end" => |data| Ok(NodeKind::End(typed(data)?)),
        "template-transform" => template_transform,
        "if-else" => |data| Ok(NodeKind::IfElse(typed(data)?)),
        "variable-aggregator" | "variable-assigner" => |data| Ok(NodeKind::Aggregator(typed(data)?)),
        "assigner" => |data| Ok(NodeKind::Assigner(typed(data)?)),
        "http-request" => |data| Ok(NodeKind::HttpRequest(Box::new(typed(data)?))),
        "human-input" => |data| Ok(NodeKind::HumanInput(Box::new(typed(data)?))),
        "tool" => |data| Ok(NodeKind::Tool(Box::new(typed(data)?))),
        "iteration" => |data| Ok(NodeKind::Iteration(typed(data)?)),
        "iteration-start" => |_| Ok(NodeKind::IterationStart),
        _ => return None,
    };
    Some(reader)
}

fn template_transform(data: &Value) -> Result<NodeKind, NodeDataError> {
    let data: TemplateTransformNodeData = typed(data)?;
    data.check()?;
    Ok(NodeKind::TemplateTransform(data))
}

fn llm(data: &Value) -> Result<NodeKind, NodeDataError> {
    let data: LlmNodeData = typed(data)?;
    data.check()?;
    Ok(NodeKind::Llm(Box::new(data)))
}

/// Whether nodes of this type are supported here. The data of a tool decides, too: only some have a plugin.
pub(super) fn is_supported(kind: &str, data: &Value) -> bool {
    data_reader(kind).is_some() && (kind != "tool" || tool::is_served(data))
}

/// Why the data of a node of this type cannot be read; `None` when it can, or the type is not supported here.
pub(crate) fn data_error(kind: &str, data: &Value) -> Option<NodeDataError> {
    let read = data_reader(kind).filter(|_| is_supported(kind, data))?;
    read(data).map(drop).and_then(|()| common(data).map(drop)).err()
}

/// The data of a node of this type; `None` when it cannot be read, or the type is not supported here.
pub(super) fn read_kind(kind: &str, data: &Value) -> Option<NodeKind> {
    data_reader(kind)?(data).ok()
}

/// Reads the data of a node. Errors name the node. Slot and edges are filled in later.
pub(super) fn read_node(raw: &RawNode<'_>, level: LevelIx) -> Result<Node> {
    let at_node = |error: &NodeDataError| {
        invalid_graph(format_args!("the node \"{}\" ({}) of type {}: {error}", raw.title, raw.id, raw.kind))
    };
    let read = data_reader(raw.kind).ok_or_else(|| at_node(&"its type is not supported here".to_owned().into()))?;
    let kind = read(raw.data).map_err(|error| at_node(&error))?;
    let (retry, on_error) = common(raw.data).map_err(|error| at_node(&error))?;
    if matches!(kind, NodeKind::HumanInput(_)) && level != Graph::ROOT {
        return Err(at_node(&"a run cannot pause inside an iteration".to_owned().into()));
    }
    Ok(Node {
        id: raw.id.into(),
        title: raw.title.to_owned(),
        kind,
        level,
        slot: usize::MAX,
        retry,
        on_error,
        incoming: Vec::new(),
        outgoing: Vec::new(),
    })
}

/// How a failed node is tried again, and what follows when the last attempt fails.
fn common(data: &Value) -> Result<(Option<Retry>, OnError), NodeDataError> {
    let common: CommonData = typed(data)?;
    let on_error = match common.error_strategy.as_deref() {
        None | Some("" | "none") => OnError::Abort,
        Some("fail-branch") => OnError::FailBranch,
        Some("default-value") => {
            let defaults = common.default_value.unwrap_or_default().into_iter().map(default_value);
            OnError::DefaultValue(defaults.collect::<Result<JsonObject, String>>()?)
        }
        Some(other) => {
            return Err(
                format!("has the error_strategy `{other}`, which is unknown; choose one in Dify's editor").into()
            );
        }
    };
    Ok((common.retry_config.as_ref().and_then(retry), on_error))
}

fn retry(config: &RetryConfig) -> Option<Retry> {
    let interval = Duration::try_from_secs_f64(config.retry_interval / 1000.0).unwrap_or_default();
    let times = u32::try_from(config.max_retries).unwrap_or(MAX_RETRIES).min(MAX_RETRIES);
    (config.retry_enabled && times > 0).then(|| Retry { times, interval: interval.min(MAX_RETRY_INTERVAL) })
}

/// A default of another type than text may be written as text: a number, which Dify then reads as a float, or JSON.
fn default_value(DefaultValue { key, value, kind }: DefaultValue) -> Result<(String, Value), String> {
    let value = match (kind.as_deref(), value) {
        (None | Some("string"), value) => value,
        (Some("number"), Value::String(text)) => {
            let number = text.trim().parse().ok().and_then(Number::from_f64);
            number
                .map(Value::Number)
                .ok_or_else(|| format!("has a default of `{key}` that is no number; correct it"))?
        }
        (Some(kind), Value::String(text)) => serde_json::from_str(&text)
            .map_err(|_| format!("has a default of `{key}` that is no {kind}; correct it"))?,
        (Some(_), value) => value,
    };
    Ok((key, value))
}
