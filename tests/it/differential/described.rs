//! Every app of the corpus is described as its file declares. The corpus has apps of every mode and version.

use std::collections::BTreeSet;

use dify_openapi::testing::{
    domain::{AppBody, AppFile},
    dsl,
};
use serde_json::{Map, Value, json};

use super::{
    cases::{Case, in_folder},
    service::Service,
};

/// No app runs in this test.
const NO_UPSTREAM: &str = "http://127.0.0.1:9";
const MODES: [&str; 5] = ["advanced-chat", "agent-chat", "chat", "completion", "workflow"];
const VERSIONS: [&str; 7] = ["", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6"];

#[tokio::test]
async fn corpus_is_described_as_its_files_declare() {
    let service = Service::start(NO_UPSTREAM).await;
    let cases = in_folder(NO_UPSTREAM, "corpus");
    let (mut modes, mut versions) = (BTreeSet::new(), BTreeSet::new());
    for case in &cases {
        let read = dsl::read(&case.dsl).unwrap();
        assert_eq!(read.warnings, [""; 0], "{}", case.name);
        let app = service.import(&read.app).await.unwrap();
        assert_description(case, &read.app, &service.describe(&app).await);
        modes.insert(read.app.mode.as_str());
        versions.insert(version(&case.dsl));
    }
    assert!(cases.len() >= 60 && modes.into_iter().eq(MODES), "{} apps", cases.len());
    assert!(versions.iter().map(String::as_str).eq(VERSIONS), "{versions:?}");
}

/// The first two parts of the version; empty for a file without one.
fn version(dsl: &str) -> String {
    let line = dsl.lines().find_map(|line| line.strip_prefix("version: ")).unwrap_or_default();
    line.trim_matches('\'').split('.').take(2).collect::<Vec<_>>().join(".")
}

fn assert_description(case: &Case, app: &AppFile, described: &Value) {
    let (rows, features) = declared(app);
    let info = &described["info"];
    assert_eq!(info["name"], app.name, "{}", case.name);
    assert_eq!(info["description"], app.description, "{}", case.name);
    assert_eq!(info["mode"], app.mode.as_str(), "{}", case.name);
    assert_eq!(info["is_agent"], app.mode.as_str() == "agent-chat", "{}", case.name);
    let parameters = &described["parameters"];
    assert_eq!(parameters["user_input_form"], json!(rows), "{}", case.name);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    assert_eq!(text(&parameters["opening_statement"]), text(&features["opening_statement"]), "{}", case.name);
    let questions = features["suggested_questions"].as_array().cloned().unwrap_or_default();
    assert_eq!(parameters["suggested_questions"], json!(questions), "{}", case.name);
    assert_eq!(described["input_schema"], input_schema(app.mode.is_chat(), &rows), "{}", case.name);
}

/// The rows of the form, and what has the opening statement.
fn declared(app: &AppFile) -> (Vec<Value>, Value) {
    match &app.body {
        AppBody::Model(config) => {
            let rows = config.get("user_input_form").and_then(Value::as_array).cloned().unwrap_or_default();
            (rows, json!(config))
        }
        AppBody::Graph(body) => {
            let nodes = body.graph["nodes"].as_array().unwrap();
            let start = nodes.iter().find(|node| node["data"]["type"] == "start").unwrap();
            let fields = start["data"]["variables"].as_array().into_iter().flatten();
            let rows = fields.map(|field| json!({(field["type"].as_str().unwrap()): field}));
            (rows.collect(), body.features.clone())
        }
    }
}

fn input_schema(is_chat: bool, rows: &[Value]) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (kind, field) in rows.iter().filter_map(Value::as_object).flatten() {
        let name = field["variable"].as_str().unwrap();
        let mut schema = match kind.as_str() {
            "text-input" | "paragraph" => json!({"type": "string"}),
            "select" => json!({"type": "string", "enum": field["options"]}),
            "number" => json!({"type": "number"}),
            "checkbox" => json!({"type": "boolean"}),
            other => panic!("{other} is not in the corpus"),
        };
        schema["title"] = field["label"].clone();
        if let ("text-input" | "paragraph", Some(max @ 1..)) = (kind.as_str(), field["max_length"].as_u64()) {
            schema["maxLength"] = max.into();
        }
        properties.insert(name.to_owned(), schema);
        if field["required"] == true {
            required.push(name);
        }
    }
    let inputs =
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    let query = json!({"type": "string", "minLength": 1});
    let (properties, required) = if is_chat {
        (json!({"query": query, "inputs": inputs}), json!(["query", "inputs"]))
    } else {
        (json!({"inputs": inputs}), json!(["inputs"]))
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": properties,
        "required": required,
    })
}
