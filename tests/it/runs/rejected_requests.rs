//! Requests that are rejected before the run, streaming and blocking.

use std::fmt::Write as _;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Stores, TestServer, apps, database,
    grpc::reason,
    runs::{end, graph_app, greeting, over_grpc, prompt_app, request},
    server::{MEMBER, OWNER},
};

async fn rejection(server: &TestServer, bearer: &Bearer, app: &str, body: Value) -> (u16, String, String) {
    let mut outcomes = Vec::new();
    for mode in ["blocking", "streaming"] {
        let mut body = body.clone();
        body["response_mode"] = json!(mode);
        let answer = Answer::to(request(bearer, app, &body)).await;
        outcomes.push((answer.status, answer.code(), answer.json()["message"].as_str().unwrap_or_default().to_owned()));
        let status = over_grpc(server, bearer, app, &body).await.unwrap_err();
        // Values that a gRPC message cannot hold are rejected over JSON only.
        if body["conversation_id"].is_null() || body["conversation_id"].is_string() {
            assert_eq!(reason(&status), answer.code(), "{body}");
        }
    }
    assert_eq!(outcomes[0], outcomes[1], "{body}");
    outcomes.remove(0)
}

on_both_stores!(
    invalid_requests_are_rejected_before_the_run,
    wrong_types_return_400_and_an_unknown_mode_422,
    inaccessible_apps_return_404_and_unpublished_apps_400,
    unsupported_node_is_named_before_the_run,
    unsupported_loop_is_named_instead_of_its_nodes
);

async fn invalid_requests_are_rejected_before_the_run(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (chat, workflow) =
        (prompt_app(&server, "chat").await, graph_app(&server, "workflow", &[greeting(), end()]).await);
    let mut table = String::new();
    for (what, app, body) in [
        ("no inputs", &chat, json!({"query": "hi"})),
        ("no name", &chat, json!({"query": "hi", "inputs": {}})),
        ("long name", &chat, json!({"query": "hi", "inputs": {"name": "Annabelle"}})),
        ("no query", &chat, json!({"inputs": {"name": "Ann"}})),
        ("blank query", &chat, json!({"inputs": {"name": "Ann"}, "query": " \n"})),
        (
            "a conversation that is no id",
            &chat,
            json!({"inputs": {"name": "Ann"}, "query": "hi", "conversation_id": "mine"}),
        ),
        ("a query for a workflow", &workflow, json!({"inputs": {"name": "Ann"}, "query": "hi"})),
        ("no name for a workflow", &workflow, json!({"inputs": {}})),
        ("a version that is no id", &workflow, json!({"inputs": {"name": "Ann"}, "workflow_id": "latest"})),
        (
            "an unknown version",
            &workflow,
            json!({"inputs": {"name": "Ann"}, "workflow_id": "0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55"}),
        ),
    ] {
        let (status, code, message) = rejection(&server, &bearer, app, body).await;
        let _ = writeln!(table, "{what}: {status} {code}: {message}");
    }
    assert_lines!(table, @r#"
    no inputs: 400 invalid_request: inputs is required.
    no name: 422 input_required: name is required in input form
    long name: 422 invalid_param: name in input form must be less than 8 characters
    no query: 422 query_required_for_chat: A chat app needs a query.
    blank query: 422 query_required_for_chat: A chat app needs a query.
    a conversation that is no id: 422 invalid_param: conversation_id: must be a UUID
    a query for a workflow: 422 query_not_supported_for_workflow: A workflow does not take a query.
    no name for a workflow: 422 input_required: name is required in input form
    a version that is no id: 422 invalid_param: workflow_id: must be a UUID
    an unknown version: 404 not_found: This app has no such version.
    "#);
    for rows in ["messages", "conversations", "workflow_runs"] {
        assert_eq!(
            database::text(&server, &format!("SELECT CAST(count(*) AS text) FROM {rows}")).await.unwrap(),
            "0",
            "{rows}"
        );
    }
}

async fn wrong_types_return_400_and_an_unknown_mode_422(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let app = prompt_app(&server, "chat").await;
    for (body, expected) in [
        (json!({"inputs": [], "query": "hi"}), (400, "invalid_request")),
        (json!({"inputs": "x", "query": "hi"}), (400, "invalid_request")),
        (json!({"inputs": {"name": "Ann"}, "query": 1}), (400, "invalid_request")),
        (json!({"inputs": {"name": "Ann"}, "query": "hi", "files": {}}), (400, "invalid_request")),
        (json!({"inputs": {"name": "Ann"}, "query": "hi", "files": [1]}), (400, "invalid_request")),
        (json!({"inputs": {"name": "Ann"}, "query": "hi", "response_mode": "both"}), (422, "invalid_param")),
        (json!({"inputs": {"name": "Ann"}, "query": "hi", "files": null, "conversation_id": "", "x": 1}), (200, "ok")),
    ] {
        let answer = Answer::to(request(&bearer, &app, &body)).await;
        assert_eq!(answer.outcome(), (expected.0, expected.1.to_owned()), "{body}: {}", answer.text);
    }
    let deep = format!("{{\"inputs\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000));
    let path = format!("/openapi/v1/apps/{app}/run");
    let deep = bearer.request(Method::POST, &path).header("content-type", "application/json").body(deep);
    assert_eq!(Answer::to(deep).await.outcome(), (400, "invalid_request".to_owned()));
}

async fn inaccessible_apps_return_404_and_unpublished_apps_400(stores: Stores) {
    let server = TestServer::start(stores).await;
    let owner = Bearer::sign_in(&server, OWNER, "laptop").await;
    let second = apps::workspace(&server, "Second Workspace").await;
    let hidden = apps::insert(&server, &second, "Hidden", "workflow", 0).await;
    let member = Bearer::sign_in(&server, MEMBER, "laptop").await;
    let body = json!({"inputs": {}});
    let gone = (404, "not_found".to_owned());
    assert_eq!(Answer::to(request(&member, &hidden, &body)).await.outcome(), gone);
    let named = json!({"inputs": {}, "workspace_id": second});
    assert_eq!(
        Answer::to(request(&member, &hidden, &named)).await.outcome(),
        (403, "workspace_membership_revoked".to_owned())
    );
    assert_eq!(
        Answer::to(request(&owner, &hidden, &body)).await.outcome(),
        (400, "app_unavailable".to_owned()),
        "nothing is published"
    );
    apps::set(&server, &hidden, "enable_api = FALSE").await;
    assert_eq!(Answer::to(request(&owner, &hidden, &body)).await.outcome(), gone);
}

async fn unsupported_node_is_named_before_the_run(stores: Stores) {
    let server = TestServer::start(stores).await;
    let code = json!({"id": "code", "data": {"type": "code", "title": "My code", "code": "x"}});
    let app = graph_app(&server, "workflow", &[greeting(), code, end()]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (status, reason, message) = rejection(&server, &bearer, &app, json!({"inputs": {"name": "Ann"}})).await;
    assert_eq!((status, reason.as_str()), (400, "app_unavailable"), "{message}");
    assert!(message.contains("My code") && message.contains("code"), "{message}");
}

async fn unsupported_loop_is_named_instead_of_its_nodes(stores: Stores) {
    let server = TestServer::start(stores).await;
    let loops = json!({"id": "loop", "data": {"type": "loop", "title": "Again and again",
        "loop_count": 3, "start_node_id": "loopstart"}});
    let begins = json!({"id": "loopstart", "type": "custom-loop-start", "parentId": "loop",
        "data": {"type": "loop-start", "title": "", "isInLoop": true}});
    let mut inner = greeting();
    inner["parentId"] = json!("loop");
    let app = graph_app(&server, "workflow", &[loops, begins, inner, end()]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (status, reason, message) = rejection(&server, &bearer, &app, json!({"inputs": {"name": "Ann"}})).await;
    assert_eq!((status, reason.as_str()), (400, "app_unavailable"), "{message}");
    assert!(message.contains("\"Again and again\" (loop) of type loop is not supported"), "{message}");
}
