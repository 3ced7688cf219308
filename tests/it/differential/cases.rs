//! The apps that both engines run, with their inputs.

use std::{fs, path::PathBuf};

use dify_openapi::testing::{domain::AppBody, dsl};
use serde::Deserialize;
use serde_json::{Value, json};

use super::oracle::{Upstream, script};

/// The node types that both engines have.
const NODE_TYPES: [&str; 12] = [
    "start",
    "end",
    "answer",
    "llm",
    "if-else",
    "template-transform",
    "variable-aggregator",
    "assigner",
    "http-request",
    "iteration",
    "iteration-start",
    "human-input",
];

/// An app, and the turns of a conversation with it, or the one run of it.
#[derive(Debug, Deserialize)]
pub struct Case {
    pub name: String,
    /// What the app has, such as node types and operators: known differences name one of them.
    pub features: Vec<String>,
    /// Whether its nodes run one after the other, so that the order of all events is compared.
    pub ordered: bool,
    pub dsl: String,
    /// `{"inputs", "query"}`.
    pub turns: Vec<Value>,
}

impl Case {
    /// Whether a node refers to a node that is not among `ran`.
    pub fn reads_other_than(&self, node: &str, ran: &[String]) -> bool {
        let Ok(read) = dsl::read(&self.dsl) else { return false };
        let AppBody::Graph(body) = read.app.body else { return false };
        let nodes = body.graph["nodes"].as_array().cloned().unwrap_or_default();
        let data = nodes.iter().find(|other| other["id"] == node).map(|node| node["data"].to_string());
        let mut others =
            nodes.iter().filter_map(|node| node["id"].as_str()).filter(|id| !ran.iter().any(|ran| ran == id));
        data.is_some_and(|data| others.any(|id| data.contains(&format!("{{{{#{id}."))))
    }
}

/// `tests/differential/FOLDER`.
pub fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/differential").join(name)
}

/// Generated cases: the same for the same seed.
pub fn generated(upstream: &Upstream, seed: &str, count: usize) -> Vec<Case> {
    let output = script("generate.py", &[seed, &count.to_string(), &upstream.url]).output().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The files of a folder, each an app. Comments in the form `# turn: {"inputs": …, "query": …}` and `# features: a, b`
/// may stand on top, `{upstream}` stands for the address of the upstream server, and `# parallel` marks a case whose
/// order of events differs.
pub fn in_folder(upstream: &str, name: &str) -> Vec<Case> {
    let mut paths: Vec<_> = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files = paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yml"));
    files
        .map(|path| {
            let dsl = fs::read_to_string(path).unwrap().replace("{upstream}", upstream);
            let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let comments = |name: &str| {
                let prefix = format!("# {name}: ");
                dsl.lines().filter_map(|line| line.strip_prefix(&prefix).map(str::to_owned)).collect::<Vec<_>>()
            };
            let mut turns: Vec<Value> =
                comments("turn").iter().map(|turn| serde_json::from_str(turn).unwrap()).collect();
            if turns.is_empty() {
                turns.push(json!({"inputs": {}, "query": "Hello"}));
            }
            let mut features: Vec<String> = vec![file.clone()];
            features.extend(comments("features").iter().flat_map(|line| line.split(", ")).map(str::to_owned));
            let has_node =
                |kind: &&&str| ["\n", ",", "}"].iter().any(|end| dsl.contains(&format!("type: {kind}{end}")));
            features.extend(NODE_TYPES.iter().filter(has_node).map(|kind| (*kind).to_owned()));
            let ordered = !dsl.lines().any(|line| line == "# parallel");
            Case { name: file, features, ordered, turns, dsl }
        })
        .collect()
}
