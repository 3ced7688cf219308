//! The paths of difyctl's second and third generation: `GET /apps/{id}`, `POST /apps/{id}:run` and one per mode.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Stores, TestServer, apps,
    command::succeeded,
    database::external_token,
    runs::{answer, end, events, graph_app, greeting, prompt_app},
    server::OWNER,
};

const MODES: [&str; 4] = ["workflow", "chat", "advanced-chat", "completion"];

on_both_stores!(
    each_mode_has_a_path_that_always_streams,
    app_is_described_on_both_paths,
    external_identity_runs_an_app_on_the_moved_paths_only,
    verbs_that_do_not_exist_return_404
);

/// An app of each mode, with the mode of its path.
async fn apps_of_every_mode(server: &TestServer) -> [(String, &'static str); 5] {
    [
        (graph_app(server, "workflow", &[greeting(), end()]).await, "workflow"),
        (prompt_app(server, "chat").await, "chat"),
        (prompt_app(server, "agent-chat").await, "chat"),
        (graph_app(server, "advanced-chat", &[greeting(), answer()]).await, "advanced-chat"),
        (prompt_app(server, "completion").await, "completion"),
    ]
}

fn body(mode: &str) -> Value {
    let mut body = json!({"inputs": {"name": "Ann"}, "response_mode": "blocking"});
    if mode != "workflow" {
        body["query"] = json!("hello");
    }
    body
}

async fn run(bearer: &Bearer, path: &str, body: &Value) -> Answer {
    Answer::to(bearer.request(Method::POST, &format!("/openapi/v1/apps/{path}:run")).json(body)).await
}

async fn each_mode_has_a_path_that_always_streams(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "token=0")]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    for (app, mode) in apps_of_every_mode(&server).await {
        for path in [app.clone(), format!("{app}/{mode}")] {
            let answer = run(&bearer, &path, &body(mode)).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"), "{}", answer.text);
            let last = events(&answer.text).pop().unwrap();
            assert!(matches!(last["event"].as_str(), Some("workflow_finished" | "message_end")), "{path}: {last}");
        }
        for other in MODES.into_iter().filter(|other| *other != mode) {
            let mut body = body(mode);
            // The path decides, not the body.
            body["mode"] = json!(mode);
            let answer = run(&bearer, &format!("{app}/{other}"), &body).await;
            assert_eq!(answer.outcome(), (422, "app_mode_mismatch".to_owned()), "{mode} as {other}");
            assert!(answer.json()["hint"].as_str().unwrap().ends_with(&format!("run it as {mode}.")));
        }
    }
}

async fn app_is_described_on_both_paths(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let workspace = apps::shared_workspace(&server).await;
    let app = apps::insert(&server, &workspace, "Twice: told", "chat", 0).await;
    for (id, query) in [
        (app.as_str(), String::new()),
        ("Twice%3A%20told", format!("?workspace_id={workspace}")),
        (app.as_str(), "?fields=info".to_owned()),
    ] {
        let get = |path: String| Answer::to(bearer.request(Method::GET, &path));
        let first = get(format!("/openapi/v1/apps/{id}/describe{query}")).await;
        let moved = get(format!("/openapi/v1/apps/{id}{query}")).await;
        assert_eq!((moved.status, &moved.text), (200, &first.text), "{id}{query}");
        assert_eq!(moved.json()["info"]["id"], app.as_str());
    }
}

async fn external_identity_runs_an_app_on_the_moved_paths_only(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ENTERPRISE_ENABLED", "true")]).await;
    let (permitted, other) = (prompt_app(&server, "chat").await, prompt_app(&server, "chat").await);
    succeeded(server.command(&["app", "access-mode", "set", &permitted, "sso_verified"], ""));
    let (token, id) = external_token(&server, "eve@idp.example", "laptop").await;
    let eve = Bearer::with_token(&server, &token, &id);
    for path in [permitted.clone(), format!("{permitted}/chat")] {
        let answer = run(&eve, &path, &body("chat")).await;
        assert_eq!(answer.header("content-type"), "text/event-stream", "{}", answer.text);
    }
    assert_eq!(run(&eve, &other, &body("chat")).await.outcome(), (404, "not_found".to_owned()));
    let first = eve.request(Method::POST, &format!("/openapi/v1/apps/{permitted}/run")).json(&body("chat"));
    assert_eq!(Answer::to(first).await.outcome(), (403, "wrong_surface".to_owned()));
}

async fn verbs_that_do_not_exist_return_404(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let app = prompt_app(&server, "completion").await;
    for path in [
        format!("apps/{app}:walk"),
        format!("apps/{app}/completion:walk"),
        format!("apps/{app}/completion/:run"),
        format!("apps/{app}/:run"),
        format!("apps/{app}:"),
    ] {
        let answer = Answer::to(bearer.request(Method::POST, &format!("/openapi/v1/{path}")).json(&json!({}))).await;
        assert_eq!(answer.outcome(), (404, "not_found".to_owned()), "{path}");
    }
    let get = Answer::to(bearer.request(Method::GET, &format!("/openapi/v1/apps/{app}:run"))).await;
    assert_eq!(get.outcome(), (405, "method_not_allowed".to_owned()));
}
