//! Generation 1, difyctl 0.1: the paths of document 003, `Accept` decides between a stream and one body.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Difyctl, assert_ended, ids_by_mode, run_body, server};
use crate::support::{Answer, Stores, runs::events};

on_both_stores!(first_generation_does_everything_it_does);

async fn first_generation_does_everything_it_does(stores: Stores) {
    let server = server(stores).await;
    let mut client = Difyctl::new(&server, "0.1.0");
    // It warns outside 1.14.0 to 1.15.0.
    assert_eq!(client.version().await, ("1.14.2".to_owned(), "SELF_HOSTED".to_owned()));
    assert_eq!(client.get("/account").await.outcome(), (401, "bearer_missing".to_owned()));
    client.sign_in("difyctl on ann-laptop").await;

    let account = client.read("/account").await;
    assert_eq!(
        (&account["subject_type"], &account["default_workspace_id"]),
        (&json!("account"), &json!(client.workspace))
    );
    let sessions = client.read("/account/sessions?page=1&limit=100").await;
    assert_eq!(
        (&sessions["total"], &sessions["data"][0]["device_label"]),
        (&json!(1), &json!("difyctl on ann-laptop"))
    );
    let workspaces = client.read("/workspaces").await;
    assert!(workspaces["workspaces"].as_array().unwrap().iter().any(|one| one["id"] == client.workspace.as_str()));

    let apps = client.read(&format!("/apps?workspace_id={}&page=1&limit=20", client.workspace)).await;
    for (mode, id) in ids_by_mode(&apps["data"]) {
        let description = client.read(&format!("/apps/{id}/describe?workspace_id={}", client.workspace)).await;
        assert_eq!(description["info"]["mode"], mode.as_str());
        let mut body = run_body(&description);
        body["workspace_id"] = json!(client.workspace);
        let run = |accept: &str| {
            let request = client.request(Method::POST, &format!("/apps/{id}/run")).header("accept", accept);
            Answer::to(request.json(&body))
        };
        let streamed = run("text/event-stream").await;
        assert_eq!(streamed.header("content-type"), "text/event-stream", "{mode}: {}", streamed.text);
        assert_ended(&mode, &events(&streamed.text));
        let blocking = run("application/json").await;
        assert_eq!((blocking.status, &blocking.json()["mode"]), (200, &json!(mode)), "{}", blocking.text);
    }
    members(&client).await;
    files(&client, &ids_by_mode(&apps["data"])["workflow"]).await;
    errors(&client, &apps).await;
    client.log_out_twice().await;
}

/// Errors with the status that decides the exit code of the client.
async fn errors(client: &Difyctl<'_>, apps: &Value) {
    let ids = ids_by_mode(&apps["data"]);
    let run = |mode: &str| format!("/apps/{}/run", ids[mode]);
    for (path, body, status, code) in [
        (run("chat"), json!({"inputs": {}}), 422, "query_required_for_chat"),
        (run("workflow"), json!({"inputs": {}, "query": "x"}), 422, "query_not_supported_for_workflow"),
        (run("chat"), json!({"query": "x"}), 400, "invalid_request"),
        ("/apps/00000000-0000-0000-0000-000000000000/run".to_owned(), json!({"inputs": {}}), 404, "not_found"),
    ] {
        let answer = client.post(&path, &body).await;
        assert_eq!(answer.outcome(), (status, code.to_owned()), "{path}");
        assert_eq!(answer.json()["status"], status);
    }
    assert_eq!(client.get("/apps").await.outcome(), (422, "workspace_id_required".to_owned()));
}

/// `member` and `use workspace`, on the paths of this generation.
async fn members(client: &Difyctl<'_>) {
    let workspace = format!("/workspaces/{}", client.workspace);
    let invited =
        client.post(&format!("{workspace}/members"), &json!({"email": "g@example.com", "role": "normal"})).await;
    assert_eq!(invited.status, 201, "{}", invited.text);
    let member = format!("{workspace}/members/{}", invited.json()["member_id"].as_str().unwrap());
    let promoted = client.request(Method::PUT, &format!("{member}/role")).json(&json!({"role": "admin"}));
    assert_eq!(Answer::to(promoted).await.json(), json!({"result": "success"}));
    assert_eq!(client.read(&format!("{workspace}/members")).await["data"][2]["role"], "admin");
    assert_eq!(Answer::to(client.request(Method::DELETE, &member)).await.json(), json!({"result": "success"}));
    // A POST without a body.
    let switched = Answer::to(client.request(Method::POST, &format!("{workspace}/switch"))).await;
    assert_eq!((switched.status, &switched.json()["current"]), (200, &json!(true)), "{}", switched.text);
}

/// `export` and `import`, on the paths of this generation, which checks the dependencies after every import.
async fn files(client: &Difyctl<'_>, app: &str) {
    let exported = client.read(&format!("/apps/{app}/export?include_secret=true")).await;
    let text = exported["data"].as_str().unwrap().replacen("0.6.0", "0.9.0", 1);
    let imports = format!("/workspaces/{}/apps/imports", client.workspace);
    let pending = client.post(&imports, &json!({"mode": "yaml-content", "yaml_content": text})).await;
    assert_eq!((pending.status, &pending.json()["status"]), (202, &json!("pending")), "{}", pending.text);
    let confirm = format!("{imports}/{}/confirm", pending.json()["id"].as_str().unwrap());
    let confirmed = Answer::to(client.request(Method::POST, &confirm)).await;
    assert_eq!((confirmed.status, &confirmed.json()["status"]), (200, &json!("completed")), "{}", confirmed.text);
    let check = format!("/apps/{}/check-dependencies", confirmed.json()["app_id"].as_str().unwrap());
    assert_eq!(client.read(&check).await, json!({"leaked_dependencies": []}));
}
