//! The lines on which the parts of a file begin.

use serde::{Deserialize, de::IgnoredAny};
use serde_saphyr::Spanned;

use super::yaml::options;

type Part = Spanned<IgnoredAny>;

#[derive(Deserialize)]
struct FileLines {
    version: Option<Part>,
    kind: Option<Part>,
    app: Option<AppLines>,
    model_config: Option<Part>,
    workflow: Option<WorkflowLines>,
}

#[derive(Deserialize)]
struct AppLines {
    name: Option<Part>,
    mode: Option<Part>,
    icon_type: Option<Part>,
}

#[derive(Deserialize)]
struct WorkflowLines {
    graph: Option<GraphLines>,
    features: Option<Part>,
    #[serde(default)]
    environment_variables: Vec<Part>,
    #[serde(default)]
    conversation_variables: Vec<Part>,
}

#[derive(Deserialize)]
struct GraphLines {
    #[serde(default)]
    nodes: Vec<Part>,
    #[serde(default)]
    edges: Vec<Part>,
}

/// The line of the outermost part of a place that lines are kept for.
pub(super) fn line_of(text: &str, place: &str) -> Option<u64> {
    // A file that is not shaped like this at all has no lines to tell.
    let lines: FileLines = serde_saphyr::from_str_with_options(text, options()).ok()?;
    let graph = || lines.workflow.as_ref().and_then(|workflow| workflow.graph.as_ref());
    let item = |name: &str, of: Option<&Vec<Part>>| {
        let rest = place.strip_prefix(name)?.strip_prefix('[')?;
        let at: usize = rest.split(']').next()?.parse().ok()?;
        of?.get(at).map(|part| part.referenced.line())
    };
    let line = |part: &Option<Part>| part.as_ref().map(|part| part.referenced.line());
    let app = |of: fn(&AppLines) -> &Option<Part>| lines.app.as_ref().and_then(|app| line(of(app)));
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
