//! Members, workspaces and files of apps over Dify's tables. What only Dify can do is 501 and not in the catalog.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Dify,
    catalog::Catalog,
    database::count,
    dify::{ALICE, ALICE_ID, BOB, BOB_ID},
};

/// The workspace "Acme Inc.": Alice is the owner, Bob is no member.
const ACME: &str = "f2adae0a-61c6-5c97-8b64-3778e6596247";

async fn call(bearer: &Bearer, method: Method, path: &str, body: &Value) -> Answer {
    let request = bearer.request(method, &format!("/openapi/v1{path}"));
    Answer::to(if body.is_null() { request } else { request.json(body) }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_dify_are_invited_changed_and_removed() {
    let Some(dify) = Dify::start_with(&[("OPENAPI_RATE_LIMITS", "token=0")]).await else { return };
    let (alice, bob) =
        (dify.issue_token(ALICE_ID, ALICE, "laptop").await, dify.issue_token(BOB_ID, BOB, "laptop").await);
    let members = format!("/workspaces/{ACME}/members");
    let member = format!("{members}/{BOB_ID}");
    assert_eq!(call(&bob, Method::GET, &members, &Value::Null).await.outcome(), (404, "not_found".to_owned()));
    let invited = call(&alice, Method::POST, &members, &json!({"email": BOB, "role": "normal"})).await;
    assert_eq!((invited.status, &invited.json()["member_id"]), (201, &json!(BOB_ID)), "{}", invited.text);
    let listed = call(&bob, Method::GET, &format!("{members}?limit=200"), &Value::Null).await.json();
    let role = |listed: &Value, email: &str| {
        let rows = listed["data"].as_array().unwrap().iter();
        rows.clone().find(|row| row["email"] == email).map(|row| row["role"].as_str().unwrap().to_owned())
    };
    assert_eq!((role(&listed, ALICE).as_deref(), role(&listed, BOB).as_deref()), (Some("owner"), Some("normal")));

    let switched = call(&bob, Method::POST, &format!("/workspaces/{ACME}:switch"), &json!({})).await;
    assert_eq!((switched.status, &switched.json()["current"]), (200, &json!(true)), "{}", switched.text);
    let current = format!("tenant_account_joins WHERE account_id = '{BOB_ID}' AND current");
    assert_eq!(count(&dify, &current).await, 1);

    assert_eq!(call(&alice, Method::PATCH, &member, &json!({"role": "editor"})).await.status, 200);
    let listed = call(&alice, Method::GET, &format!("{members}?limit=200"), &Value::Null).await.json();
    assert_eq!(role(&listed, BOB).as_deref(), Some("editor"));
    assert_eq!(call(&alice, Method::DELETE, &member, &Value::Null).await.status, 200);
    assert_eq!(call(&bob, Method::GET, &members, &Value::Null).await.status, 404);
    assert_eq!(call(&alice, Method::DELETE, &format!("{members}/{ALICE_ID}"), &Value::Null).await.status, 400);

    let unknown = json!({"email": "grace@example.com", "role": "normal"});
    let refused = call(&alice, Method::POST, &members, &unknown).await;
    assert_eq!(refused.outcome(), (501, "not_supported_here".to_owned()));
    assert!(refused.json()["hint"].is_string());
    assert_eq!(count(&dify, "accounts WHERE email = 'grace@example.com'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_of_dify_are_exported_without_secrets_and_not_imported() {
    let Some(dify) = Dify::start_with(&[("OPENAPI_RATE_LIMITS", "token=0")]).await else { return };
    let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let apps = call(&alice, Method::GET, &format!("/apps?workspace_id={ACME}&limit=200"), &Value::Null).await.json();
    let mut exported = 0;
    for app in apps["data"].as_array().unwrap() {
        let path = format!("/apps/{}/dsl", app["id"].as_str().unwrap());
        let answer = call(&alice, Method::GET, &path, &Value::Null).await;
        assert!(answer.status == 200 || answer.code() == "app_unavailable", "{app}: {}", answer.text);
        if answer.status == 200 {
            let text = answer.json()["data"].as_str().unwrap().to_owned();
            assert!(text.contains(&format!("mode: {}\n", app["mode"].as_str().unwrap())), "{text}");
            exported += 1;
        }
        let secret = call(&alice, Method::GET, &format!("{path}?include_secret=true"), &Value::Null).await;
        assert_eq!(secret.outcome(), (501, "not_supported_here".to_owned()));
    }
    assert!(exported > 5, "{exported}");
    let id = apps["data"][0]["id"].as_str().unwrap();
    let imports = format!("/workspaces/{ACME}/apps/imports");
    for (method, path, body) in [
        (Method::GET, format!("/apps/{id}/dependencies:check"), Value::Null),
        (Method::POST, imports.clone(), json!({"mode": "yaml-content", "yaml_content": "a"})),
        (Method::POST, format!("{imports}/{ACME}:confirm"), json!({})),
    ] {
        let refused = call(&alice, method, &path, &body).await;
        assert_eq!(refused.outcome(), (501, "not_supported_here".to_owned()), "{path}");
        assert!(refused.json()["hint"].is_string());
    }
    let catalog = Catalog::fetch(&dify).await;
    for op in ["invite.workspace.member", "check.console_app.dependency", "import.console_app.dsl"] {
        assert!(!catalog.ops.contains_key(op), "{op}");
    }
    for op in ["get.workspace.member", "update.workspace.member", "switch.workspace", "export.console_app.dsl"] {
        assert!(catalog.ops.contains_key(op), "{op}");
    }
}
