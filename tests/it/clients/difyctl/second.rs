//! Generation 2, difyctl 0.2 to 1.17: moved paths, and runs that always stream.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Difyctl, assert_ended, ids_by_mode, run_body, server};
use crate::support::{Answer, Stores, runs::events};

on_both_stores!(second_generation_does_everything_it_does);

async fn second_generation_does_everything_it_does(stores: Stores) {
    let server = server(stores).await;
    let mut client = Difyctl::new(&server, "1.16.0");
    // It stops with exit code 6 below 1.16.0.
    assert_eq!(client.version().await, ("1.17.1".to_owned(), "COMMUNITY".to_owned()));
    client.sign_in("difyctl on ann-laptop").await;

    assert_eq!(client.read("/account").await["account"]["email"], "demo@example.com");
    assert_eq!(client.read("/account/sessions?page=1&limit=100").await["has_more"], false);
    let workspaces = client.read("/workspaces?page=1&limit=100").await;
    assert_eq!((&workspaces["page"], &workspaces["total"]), (&json!(1), &json!(2)));
    assert_eq!(workspaces["data"][0]["id"], client.workspace.as_str());

    let apps = client.read(&format!("/apps?workspace_id={}&page=1&limit=20", client.workspace)).await;
    let ids = ids_by_mode(&apps["data"]);
    for (mode, id) in &ids {
        let description = client.read(&format!("/apps/{id}?workspace_id={}", client.workspace)).await;
        assert_eq!(description["info"]["mode"], mode.as_str());
        let body = run_body(&description);
        // The client shows the stream, or waits for its end when the person requests one answer.
        for path in [format!("/apps/{id}:run"), format!("/apps/{id}/{}:run", path_of(mode))] {
            let answer = Answer::to(client.request(Method::POST, &path).json(&body)).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"), "{}", answer.text);
            let events = events(&answer.text);
            assert_ended(mode, &events);
            assert!(events.iter().all(|event| event["task_id"].is_string()), "{path}");
        }
    }
    members(&client).await;
    files(&client, &ids["workflow"]).await;
    errors(&client, &ids["workflow"]).await;
    client.log_out_twice().await;
}

/// agent-chat runs under the path of chat.
fn path_of(mode: &str) -> &str {
    if mode == "agent-chat" { "chat" } else { mode }
}

async fn errors(client: &Difyctl<'_>, workflow: &str) {
    let body: Value = json!({"inputs": {}});
    for (path, status, code) in [
        (format!("/apps/{workflow}/chat:run"), 422, "app_mode_mismatch"),
        ("/apps/00000000-0000-0000-0000-000000000000:run".to_owned(), 404, "not_found"),
        (format!("/apps/{workflow}:walk"), 404, "not_found"),
    ] {
        let answer = client.post(&path, &body).await;
        assert_eq!(answer.outcome(), (status, code.to_owned()), "{path}");
        assert!(answer.json()["message"].is_string());
    }
    let unknown = client.get("/apps/00000000-0000-0000-0000-000000000000").await;
    assert_eq!(unknown.outcome(), (404, "not_found".to_owned()));
}

/// `member` and `use workspace`, on the paths of this generation.
async fn members(client: &Difyctl<'_>) {
    let workspace = format!("/workspaces/{}", client.workspace);
    let invited =
        client.post(&format!("{workspace}/members"), &json!({"email": "g@example.com", "role": "admin"})).await;
    assert_eq!(invited.status, 201, "{}", invited.text);
    let member = format!("{workspace}/members/{}", invited.json()["member_id"].as_str().unwrap());
    let demoted = client.request(Method::PATCH, &member).json(&json!({"role": "normal"}));
    assert_eq!(Answer::to(demoted).await.json(), json!({"result": "success"}));
    assert_eq!(client.read(&format!("{workspace}/members?page=1&limit=20")).await["data"][2]["role"], "normal");
    assert_eq!(Answer::to(client.request(Method::DELETE, &member)).await.json(), json!({"result": "success"}));
    let switched = client.post(&format!("{workspace}:switch"), &json!({})).await;
    assert_eq!((switched.status, &switched.json()["current"]), (200, &json!(true)), "{}", switched.text);
}

/// `export` and `import`, on the paths of this generation, which checks the dependencies after every import.
async fn files(client: &Difyctl<'_>, app: &str) {
    let exported = client.read(&format!("/apps/{app}/dsl?include_secret=false")).await;
    let text = exported["data"].as_str().unwrap().replacen("0.6.0", "0.9.0", 1);
    let imports = format!("/workspaces/{}/apps/imports", client.workspace);
    let body = json!({"mode": "yaml-content", "yaml_content": text, "name": "Copy"});
    let pending = client.post(&imports, &body).await;
    assert_eq!((pending.status, &pending.json()["status"]), (202, &json!("pending")), "{}", pending.text);
    let confirm = format!("{imports}/{}:confirm", pending.json()["id"].as_str().unwrap());
    let confirmed = client.post(&confirm, &json!({})).await;
    assert_eq!((confirmed.status, &confirmed.json()["status"]), (200, &json!("completed")), "{}", confirmed.text);
    let check = format!("/apps/{}/dependencies:check", confirmed.json()["app_id"].as_str().unwrap());
    assert_eq!(client.read(&check).await, json!({"leaked_dependencies": []}));
}
