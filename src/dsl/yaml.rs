//! YAML, held to budgets: text becomes a JSON value of bounded size and depth, or a fault with its line.
//!
//! Scalars mean what they mean in YAML 1.2, which is what Dify's own writer (YAML 1.1, and quoting whatever either could
//! take for something else) comes to; `y` as a key of a position is no boolean.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use serde_saphyr::{Options, Spanned};

use super::Fault;

/// The longest file, in bytes: Dify's own limit.
pub(crate) const LONGEST: usize = 10 << 20;
/// The deepest nesting.
const DEEPEST: usize = 64;
/// Values at most, those that aliases repeat included.
const MOST_VALUES: usize = 250_000;
/// Values that aliases may repeat: Dify writes none, people few.
const MOST_REPEATED: usize = 50_000;

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            max_nodes: MOST_VALUES,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_total_scalar_bytes: LONGEST,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MOST_REPEATED,
            max_replay_stack_depth: 16,
        },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        with_snippet: false,
    }
}

/// Reads a document.
pub(super) fn read(text: &str) -> Result<Value, Fault> {
    if text.len() > LONGEST {
        return Err(Fault::at("", format_args!("the file is longer than {} MiB", LONGEST >> 20)));
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|fault| {
        let said = fault.to_string();
        // The lines after the first show the text around the fault, which may hold a secret.
        let reason = said.lines().next().unwrap_or_default();
        let line = fault.location().map(|location| location.line());
        Fault::at_line(line, format_args!("this YAML cannot be read: {reason}"))
    })
}

/// Refuses NUL in any text: PostgreSQL keeps none.
pub(super) fn without_nul(value: &Value) -> Result<(), Fault> {
    fn walk(value: &Value, place: &mut Vec<String>) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().enumerate().any(|(at, item)| {
                place.push(format!("[{at}]"));
                walk(item, place) || place.pop().is_none()
            }),
            Value::Object(members) => members.iter().any(|(name, value)| {
                let dot = if place.is_empty() { "" } else { "." };
                place.push(format!("{dot}{}", name.replace('\0', "\\0")));
                name.contains('\0') || walk(value, place) || place.pop().is_none()
            }),
            _ => false,
        }
    }
    let mut place = Vec::new();
    if walk(value, &mut place) { Err(Fault::at(place.concat(), "contains a NUL character")) } else { Ok(()) }
}

/// The line of the outermost part of a place that lines are kept for.
pub(super) fn line_of(text: &str, place: &str) -> Option<u64> {
    type Part = Spanned<IgnoredAny>;
    #[derive(Deserialize)]
    struct Lines {
        version: Option<Part>,
        kind: Option<Part>,
        app: Option<App>,
        model_config: Option<Part>,
        workflow: Option<Workflow>,
    }
    #[derive(Deserialize)]
    struct App {
        name: Option<Part>,
        mode: Option<Part>,
        icon_type: Option<Part>,
    }
    #[derive(Deserialize)]
    struct Workflow {
        graph: Option<Graph>,
        features: Option<Part>,
        #[serde(default)]
        environment_variables: Vec<Part>,
        #[serde(default)]
        conversation_variables: Vec<Part>,
    }
    #[derive(Deserialize)]
    struct Graph {
        #[serde(default)]
        nodes: Vec<Part>,
        #[serde(default)]
        edges: Vec<Part>,
    }
    // A file that is not shaped like this at all has no lines to tell.
    let lines: Lines = serde_saphyr::from_str_with_options(text, options()).ok()?;
    let graph = || lines.workflow.as_ref().and_then(|workflow| workflow.graph.as_ref());
    let item = |name: &str, of: Option<&Vec<Part>>| {
        let rest = place.strip_prefix(name)?.strip_prefix('[')?;
        let at: usize = rest.split(']').next()?.parse().ok()?;
        of?.get(at).map(|part| part.referenced.line())
    };
    let line = |part: &Option<Part>| part.as_ref().map(|part| part.referenced.line());
    let app = |of: fn(&App) -> &Option<Part>| lines.app.as_ref().and_then(|app| line(of(app)));
    match place {
        "version" => line(&lines.version),
        "kind" => line(&lines.kind),
        "app.name" => app(|app| &app.name),
        "app.mode" => app(|app| &app.mode),
        "app.icon_type" => app(|app| &app.icon_type),
        _ if place.starts_with("model_config") => line(&lines.model_config),
        _ if place.starts_with("workflow.features") => lines.workflow.as_ref().and_then(|flow| line(&flow.features)),
        _ => item("workflow.graph.nodes", graph().map(|graph| &graph.nodes))
            .or_else(|| item("workflow.graph.edges", graph().map(|graph| &graph.edges)))
            .or_else(|| {
                let of = lines.workflow.as_ref().map(|workflow| &workflow.environment_variables);
                item("workflow.environment_variables", of)
            })
            .or_else(|| {
                let of = lines.workflow.as_ref().map(|workflow| &workflow.conversation_variables);
                item("workflow.conversation_variables", of)
            }),
    }
}
