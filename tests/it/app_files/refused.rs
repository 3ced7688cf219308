//! Imports and exports that are refused, and files that cannot be imported.

use axum::{Router, routing::get as on_get};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use dify_openapi::testing::dsl::demo;

use super::{get, newer, start, start_with};
use crate::support::{Answer, Stores, apps};

on_both_stores!(
    only_editors_import_and_export,
    invalid_requests_are_rejected,
    files_that_cannot_be_imported_are_failed_imports,
    file_is_fetched_from_allowed_addresses_only,
    account_has_a_few_pending_imports
);

const UNKNOWN: &str = "00000000-0000-0000-0000-000000000000";

async fn only_editors_import_and_export(stores: Stores) {
    let team = start(stores).await;
    let app = team.import_text(demo::FILES[4]).await.json()["app_id"].as_str().unwrap().to_owned();
    let body = json!({"mode": "yaml-content", "yaml_content": demo::FILES[4]});
    for (role, allowed) in [("normal", false), ("dataset_operator", false), ("editor", true), ("admin", true)] {
        team.set_role_of_member(role).await;
        let imported = team.import(&team.member, &body).await;
        let confirmed = team.confirm(&team.member, &json!(UNKNOWN)).await;
        let exported = get(&team.member, &format!("{app}/export")).await;
        let checked = get(&team.member, &format!("{app}/dependencies:check")).await;
        let expected = if allowed { [200, 400, 200, 200] } else { [403; 4] };
        let answers = [imported, confirmed, exported, checked];
        assert_eq!(answers.each_ref().map(|answer| answer.status), expected, "{role}");
        assert!(allowed || answers.iter().all(|answer| answer.code() == "forbidden"), "{role}");
    }
    let second = apps::workspace(&team.server, "Second Workspace").await;
    for workspace in [second.as_str(), UNKNOWN, "no-uuid"] {
        let path = format!("/openapi/v1/workspaces/{workspace}/apps/imports");
        let answer = Answer::to(team.member.request(Method::POST, &path).json(&body)).await;
        assert_eq!(answer.outcome(), (404, "not_found".to_owned()), "{workspace}");
    }
    for path in ["export", "dsl", "check-dependencies", "dependencies:check"] {
        for app in [UNKNOWN, "no-uuid"] {
            let answer = get(&team.owner, &format!("{app}/{path}")).await;
            assert_eq!(answer.outcome(), (404, "not_found".to_owned()), "{path}");
        }
    }
}

async fn invalid_requests_are_rejected(stores: Stores) {
    let team = start(stores).await;
    let text = demo::FILES[4];
    for (members, status, code) in [
        (json!({"mode": "yaml-file"}), 422, "invalid_param"),
        (json!({}), 422, "invalid_param"),
        (json!({"mode": "yaml-content", "yaml_content": 1}), 400, "invalid_request"),
        (json!({"mode": "yaml-content", "yaml_content": text, "unheard_of": 1}), 400, "invalid_request"),
        (json!({"mode": "yaml-content", "yaml_content": text, "app_id": "x"}), 422, "invalid_param"),
        (json!({"mode": "yaml-content", "yaml_content": text, "name": "\u{200b}"}), 422, "invalid_param"),
        (json!({"mode": "yaml-content", "yaml_content": text, "name": "x".repeat(256)}), 422, "invalid_param"),
        (json!({"mode": "yaml-content", "yaml_content": text, "icon_type": "film"}), 422, "invalid_param"),
        (json!({"mode": "yaml-content", "yaml_content": text, "icon": "x".repeat(256)}), 422, "invalid_param"),
        (json!({"mode": "yaml-content", "yaml_content": text, "description": "\0"}), 422, "invalid_param"),
    ] {
        let answer = team.import(&team.owner, &members).await;
        assert_eq!(answer.outcome(), (status, code.to_owned()), "{}", answer.text);
    }
    let unknown = team.confirm(&team.owner, &json!("no-uuid")).await;
    assert_eq!(unknown.outcome(), (404, "not_found".to_owned()));
    let app = team.import_text(text).await.json()["app_id"].as_str().unwrap().to_owned();
    let malformed = get(&team.owner, &format!("{app}/dsl?workflow_id=x")).await;
    assert_eq!(malformed.outcome(), (422, "invalid_param".to_owned()));
    let missing = get(&team.owner, &format!("{app}/dsl?workflow_id={UNKNOWN}")).await;
    assert_eq!(missing.outcome(), (404, "not_found".to_owned()));
}

/// Why an import failed.
fn failure(answer: &Answer) -> String {
    let body = answer.json();
    assert_eq!((answer.status, &body["status"], &body["app_id"]), (400, &json!("failed"), &Value::Null), "{body}");
    body["error"].as_str().unwrap().to_owned()
}

async fn files_that_cannot_be_imported_are_failed_imports(stores: Stores) {
    let team = start(stores).await;
    let before = team.owner.get(&format!("/openapi/v1/apps?workspace_id={}", team.workspace)).await.1;
    let chat = team.import_text(demo::FILES[0]).await.json()["app_id"].clone();
    for (text, why) in [
        ("", "yaml_content is required"),
        ("[", "line 1"),
        ("- 1", "not a mapping"),
        ("version: x.y\nkind: app\napp: {name: A, mode: chat}", "version"),
        ("kind: rag\napp: {name: A, mode: chat}", "kind"),
        ("app: {name: A, mode: workflow}", "workflow"),
    ] {
        let error = failure(&team.import_text(text).await);
        assert!(error.contains(why), "{text}: {error}");
    }
    // In Dify's limit by one byte too much, and over the limit of the body.
    let long = failure(&team.import_text(&"#".repeat((10 << 20) + 1)).await);
    assert!(long.contains("longer than 10 MiB"), "{long}");
    // The server does not read the rest of such a body, so a client that is still sending may not see the answer.
    let body = json!({"mode": "yaml-content", "yaml_content": "#".repeat(13 << 20)});
    let sent = team.owner.request(Method::POST, &team.imports()).json(&body).send().await;
    assert!(sent.map_or_else(|error| error.is_request(), |answer| answer.status() == 413));
    let bomb = format!("a: &a [{}]\n{}", "x,".repeat(5_000), "b: *a\n".repeat(2_000));
    failure(&team.import_text(&bomb).await);
    let second = apps::workspace(&team.server, "Second Workspace").await;
    let foreign = json!(apps::insert(&team.server, &second, "Foreign", "workflow", 0).await);
    for app in [chat, json!(UNKNOWN), foreign] {
        let body = json!({"mode": "yaml-content", "yaml_content": demo::FILES[4], "app_id": app});
        failure(&team.import(&team.owner, &body).await);
    }
    let pending = team.import_text("version: 1.0\nkind: app\napp: {name: A}").await;
    assert_eq!(pending.status, 202, "{}", pending.text);
    assert!(failure(&team.confirm(&team.owner, &pending.json()["id"]).await).contains("mode"));
    let after = team.owner.get(&format!("/openapi/v1/apps?workspace_id={}", team.workspace)).await.1;
    assert_eq!(after["total"].as_i64(), before["total"].as_i64().map(|total| total + 1), "the chat app");
}

/// A server on loopback with a file.
async fn file_server(text: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/app.yml", on_get(move || async move { text }))
        .route("/large.yml", on_get(|| async { "#".repeat((10 << 20) + 1) }))
        .route("/moved.yml", on_get(|| async { axum::response::Redirect::temporary("/app.yml") }));
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}

async fn file_is_fetched_from_allowed_addresses_only(stores: Stores) {
    let url = file_server(demo::FILES[4].to_owned()).await;
    let closed = start(stores.clone()).await;
    let by_url = |url: String| json!({"mode": "yaml-url", "yaml_url": url});
    for refused in [format!("{url}/app.yml"), "file:///etc/passwd".to_owned(), "nonsense".to_owned(), String::new()] {
        failure(&closed.import(&closed.owner, &by_url(refused)).await);
    }
    let open = start_with(Stores::Sqlite, &[("HTTP_REQUEST_ALLOWED_NETWORKS", "127.0.0.0/8")]).await;
    for path in ["app.yml", "moved.yml"] {
        let imported = open.import(&open.owner, &by_url(format!("{url}/{path}"))).await;
        assert_eq!((imported.status, &imported.json()["app_mode"]), (200, &json!("workflow")), "{}", imported.text);
    }
    for (path, why) in [("large.yml", "larger"), ("none.yml", "404")] {
        let error = failure(&open.import(&open.owner, &by_url(format!("{url}/{path}"))).await);
        assert!(error.contains(why), "{error}");
    }
}

async fn account_has_a_few_pending_imports(stores: Stores) {
    let team = start(stores).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        let pending = team.import_text(&newer()).await;
        assert_eq!(pending.status, 202, "{}", pending.text);
        ids.push(pending.json()["id"].clone());
    }
    assert_eq!(team.import_text(&newer()).await.outcome(), (429, "rate_limited".to_owned()));
    assert_eq!(team.confirm(&team.owner, &ids[0]).await.status, 200);
    assert_eq!(team.import_text(&newer()).await.status, 202);
}
