//! `GET /console/api/account/profile`, `GET /console/api/workspaces`, `POST /console/api/workspaces/switch`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Browser, Stores, TestServer,
    logs::Logs,
    redact,
    server::{MEMBER, OWNER},
};

const SWITCH: &str = "/console/api/workspaces/switch";

fn without_times(mut body: Value) -> Value {
    if let Some(created_at) = body.get_mut("created_at") {
        assert!(created_at.as_i64().unwrap() > 1_700_000_000);
        *created_at = json!("[seconds]");
    }
    match body {
        Value::Array(items) => Value::Array(items.into_iter().map(without_times).collect()),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, without_times(value))).collect())
        }
        other => redact(other),
    }
}

on_every_database!(
    profile_is_the_signed_in_account,
    workspaces_are_listed_in_the_format_of_the_console,
    switching_makes_exactly_one_workspace_current,
    switching_to_a_workspace_that_was_not_joined_returns_404,
    console_routes_reject_bearer_tokens
);

async fn profile_is_the_signed_in_account(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (status, body) = Browser::signed_in(&server, OWNER).await.get("/console/api/account/profile").await;
    assert_eq!(status, 200);
    assert_wire!(without_times(body), @r#"
    {
      "avatar": null,
      "created_at": "[seconds]",
      "email": "demo@example.com",
      "id": "[uuid]",
      "interface_language": null,
      "is_password_set": true,
      "name": "Demo",
      "timezone": null
    }
    "#);
}

async fn workspaces_are_listed_in_the_format_of_the_console(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (status, body) = Browser::signed_in(&server, OWNER).await.get("/console/api/workspaces").await;
    assert_eq!(status, 200);
    assert_wire!(without_times(body), @r#"
    {
      "workspaces": [
        {
          "created_at": "[seconds]",
          "current": true,
          "id": "[uuid]",
          "name": "Demo Workspace",
          "plan": "basic",
          "status": "normal"
        },
        {
          "created_at": "[seconds]",
          "current": false,
          "id": "[uuid]",
          "name": "Second Workspace",
          "plan": "basic",
          "status": "normal"
        }
      ]
    }
    "#);
}

async fn switching_makes_exactly_one_workspace_current(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let (_, body) = browser.get("/console/api/workspaces").await;
    let second = body["workspaces"][1]["id"].clone();
    let logs = Logs::capture();
    let (status, body) = browser.post(SWITCH, &json!({"tenant_id": second})).await;
    assert_eq!(
        (status, &body["result"], &body["new_tenant"]["id"], &body["new_tenant"]["current"]),
        (200, &"success".into(), &second, &true.into())
    );
    let (_, body) = browser.get("/console/api/workspaces").await;
    let current: Vec<_> =
        body["workspaces"].as_array().unwrap().iter().map(|row| row["current"].as_bool().unwrap()).collect();
    assert_eq!(current, [false, true]);
    let events = logs.matching(&["INFO audit", "workspace.switched", OWNER, second.as_str().unwrap()]);
    assert_eq!(events.len(), 1, "{events:?}");
}

async fn switching_to_a_workspace_that_was_not_joined_returns_404(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (_, body) = Browser::signed_in(&server, OWNER).await.get("/console/api/workspaces").await;
    let foreign = body["workspaces"][1]["id"].clone();
    let member = Browser::signed_in(&server, MEMBER).await;
    for id in [foreign, json!("00000000-0000-0000-0000-000000000000"), json!("no-uuid")] {
        let (status, body) = member.post(SWITCH, &json!({"tenant_id": id})).await;
        assert_eq!((status, body["code"].as_str()), (404, Some("not_found")), "{id}");
    }
    let (status, body) = member.post(SWITCH, &json!({})).await;
    assert_eq!((status, body["code"].as_str()), (400, Some("invalid_request")));
}

async fn console_routes_reject_bearer_tokens(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    for path in ["/console/api/account/profile", "/console/api/workspaces"] {
        let answer = Answer::to(bearer.request(Method::GET, path)).await;
        assert_eq!(answer.outcome(), (401, "no_session".to_owned()), "{path}");
        assert_eq!(answer.header("www-authenticate"), "");
    }
}
