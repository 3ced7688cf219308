//! Inputs that do not match the form: rejected with the same message over JSON and gRPC before the run.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tonic_types::StatusExt as _;

use crate::support::{
    Answer, Bearer, Stores, TestServer, apps, database,
    grpc::reason,
    logs::Logs,
    runs::{over_grpc, request},
    server::OWNER,
};

/// One variable of each kind that has invalid values.
fn variables() -> Vec<Value> {
    vec![
        json!({"variable": "line", "type": "text-input", "max_length": 3}),
        json!({"variable": "age", "type": "number"}),
        json!({"variable": "choice", "type": "select", "options": ["red", "green"]}),
        json!({"variable": "notes", "type": "paragraph", "max_length": 5}),
        json!({"variable": "agree", "type": "checkbox"}),
        json!({"variable": "photo", "type": "file"}),
        json!({"variable": "papers", "type": "file-list", "max_length": 1}),
        json!({"variable": "extra", "type": "json_object"}),
    ]
}

/// A chat and a workflow with the same form.
async fn apps_with_form(server: &TestServer) -> [(String, Value); 2] {
    let workspace = apps::shared_workspace(server).await;
    let chat = apps::insert(server, &workspace, "Chat", "chat", 0).await;
    let model = json!({"provider": "echo", "name": "echo", "mode": "chat", "completion_params": {}});
    let row = |variable: Value| json!({variable["type"].as_str().unwrap(): variable});
    let form: Value = variables().into_iter().map(row).collect();
    apps::configure(server, &chat, &[("model", model), ("prompt_type", json!("simple")), ("user_input_form", form)])
        .await;
    let workflow = apps::insert(server, &workspace, "Workflow", "workflow", 0).await;
    let graph = json!({
        "nodes": [
            {"id": "start", "data": {"type": "start", "title": "Start", "variables": variables()}},
            {"id": "end", "data": {"type": "end", "title": "End", "outputs": []}},
        ],
        "edges": [{"id": "e", "source": "start", "target": "end", "sourceHandle": "source", "targetHandle": "target"}],
    });
    apps::publish(server, &workflow, &graph, &json!({})).await;
    [(chat, json!({"query": "hi"})), (workflow, json!({}))]
}

/// The message of a rejected run. It must be the same over JSON and gRPC, and both must name the field.
async fn rejection(server: &TestServer, bearer: &Bearer, app: &str, body: &Value, name: &str) -> String {
    let mut messages = Vec::new();
    for mode in ["blocking", "streaming"] {
        let mut body = body.clone();
        body["response_mode"] = json!(mode);
        let answer = Answer::to(request(bearer, app, &body)).await;
        assert_eq!(answer.outcome(), (422, "invalid_param".to_owned()), "{body}: {}", answer.text);
        assert_eq!(answer.header("content-type"), "application/json", "no stream was opened");
        let error = answer.json();
        assert_eq!(error["details"][0]["loc"], json!(["body", "inputs", name]), "{error}");
        messages.push(error["message"].as_str().unwrap().to_owned());
        let status = over_grpc(server, bearer, app, &body).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (tonic::Code::InvalidArgument, "invalid_param"),
            "{body}"
        );
        let fields: Vec<_> = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(
            fields.iter().map(|violation| violation.field.clone()).collect::<Vec<_>>(),
            [format!("inputs.{name}")]
        );
        messages.push(status.message().to_owned());
    }
    messages.dedup();
    assert_eq!(messages.len(), 1, "JSON and gRPC differ: {messages:?}");
    messages.remove(0)
}

on_every_database!(invalid_form_inputs_are_rejected_before_the_run, valid_form_inputs_are_accepted);

async fn invalid_form_inputs_are_rejected_before_the_run(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "token=0")]).await;
    let logs = Logs::capture();
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let apps = apps_with_form(&server).await;
    let mut table = String::new();
    for (name, value) in [
        ("line", json!("long")),
        ("line", json!(1)),
        ("age", json!("eleven")),
        ("age", json!("1e3")),
        ("age", json!(true)),
        ("choice", json!("blue")),
        ("choice", json!(1)),
        ("notes", json!("éééééé")),
        ("notes", json!(["a"])),
        ("agree", json!("maybe")),
        ("agree", json!(2)),
        ("photo", json!("photo.png")),
        ("photo", json!([{}])),
        ("papers", json!({"type": "document"})),
        ("papers", json!(["a.pdf"])),
        ("papers", json!([{"type": "document"}, {"type": "document"}])),
        ("extra", json!("text")),
        ("extra", json!([1])),
    ] {
        let mut messages = Vec::new();
        for (app, rest) in &apps {
            let mut body = rest.clone();
            body["inputs"] = json!({name: value});
            messages.push(rejection(&server, &bearer, app, &body, name).await);
        }
        assert_eq!(messages[0], messages[1], "chat and workflow agree");
        let _ = writeln!(table, "{value}: {}", messages[0]);
    }
    assert_lines!(table, @r#"
    "long": line in input form must be less than 3 characters
    1: (type 'text-input') line in input form must be a string
    "eleven": age in input form must be a valid number
    "1e3": age in input form must be a valid number
    true: age in input form must be a valid number
    "blue": choice in input form must be one of the following: ['red', 'green']
    1: (type 'select') choice in input form must be a string
    "éééééé": notes in input form must be less than 5 characters
    ["a"]: (type 'paragraph') notes in input form must be a string
    "maybe": agree in input form must be true or false
    2: agree in input form must be true or false
    "photo.png": photo in input form must be a file
    [{}]: photo in input form must be a file
    {"type":"document"}: papers in input form must be a list of files
    ["a.pdf"]: papers in input form must be a list of files
    [{"type":"document"},{"type":"document"}]: papers in input form must be less than 1 files
    "text": extra in input form must be a dict
    [1]: extra in input form must be a dict
    "#);
    for (app, _) in &apps {
        assert_eq!(logs.matching(&["app.run.openapi", app]), Vec::<String>::new());
    }
    for rows in ["end_users", "messages", "conversations", "workflow_runs"] {
        assert_eq!(database::count(&server, rows).await, 0, "{rows}");
    }
}

async fn valid_form_inputs_are_accepted(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    for (app, rest) in apps_with_form(&server).await {
        let mut body = rest;
        body["inputs"] =
            json!({"line": "abc", "age": "11", "choice": "red", "notes": "ééééé", "agree": "yes", "extra": {}});
        let answer = Answer::to(request(&bearer, &app, &body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}
