//! The Enterprise edition on Dify's database: the enterprise service decides about apps that Dify's editor has stored.

use reqwest::Method;
use serde_json::json;

use crate::support::{
    Answer, Bearer, Dify,
    database::{execute, external_token},
    dify::{ALICE, ALICE_ID, BOB_ID},
    enterprise_service::EnterpriseService,
};

/// The workspace "Acme Inc.", whose owner is Alice.
const ACME: &str = "f2adae0a-61c6-5c97-8b64-3778e6596247";
/// The app "Support Bot" of that workspace.
const APP_NAME: &str = "Support Bot";

async fn get(bearer: &Bearer, rest: &str) -> Answer {
    Answer::to(bearer.request(Method::GET, &format!("/openapi/v1/{rest}"))).await
}

async fn listed(bearer: &Bearer) -> Vec<(String, String)> {
    let list = get(bearer, &format!("apps?workspace_id={ACME}&limit=200")).await.json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    list["data"].as_array().unwrap().iter().map(|app| (text(&app["id"]), text(&app["name"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn service_decides_about_apps_that_dify_stored() {
    let service = EnterpriseService::start().await;
    let Some(dify) = Dify::start_with(&service.variables()).await else { return };
    let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    // Without a mode no app is accessible.
    assert!(listed(&alice).await.is_empty());
    let sql = dify.sql();
    let found = sql.find_apps_of_name(APP_NAME).await.unwrap();
    let app = found[0].id.to_string();
    assert_eq!(get(&alice, &format!("apps/{app}/describe")).await.status, 403);
    service.set_mode(&app, "private_all");
    assert_eq!(listed(&alice).await, [(app.clone(), APP_NAME.to_owned())]);
    assert_eq!(get(&alice, &format!("apps/{app}/describe")).await.status, 200);

    let (token, id) = external_token(&dify, "eve@idp.example", "laptop").await;
    let eve = Bearer::with_token(&dify, &token, &id);
    service.knowledge.lock().external_apps.push(app.clone());
    assert_eq!(get(&eve, &format!("permitted-external-apps/{app}")).await.status, 404);
    service.set_mode(&app, "sso_verified");
    let described = get(&eve, &format!("permitted-external-apps/{app}")).await.json();
    assert_eq!(described["info"]["name"], APP_NAME, "{described}");
    let list = get(&eve, "permitted-external-apps").await.json();
    assert_eq!((&list["total"], &list["data"][0]["name"]), (&json!(1), &json!(APP_NAME)));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_managed_in_dify_s_console() {
    let service = EnterpriseService::start().await;
    let Some(dify) = Dify::start_with(&service.variables()).await else { return };
    let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let join = "INSERT INTO tenant_account_joins (tenant_id, account_id, role) VALUES";
    execute(&dify, &format!("{join} ('{ACME}', '{BOB_ID}', 'normal') ON CONFLICT DO NOTHING")).await;
    let members = format!("/openapi/v1/workspaces/{ACME}/members");
    let before = get(&alice, &format!("workspaces/{ACME}/members")).await.json();
    for (method, path, body) in [
        (Method::POST, members.clone(), json!({"email": "new@example.com", "role": "normal"})),
        (Method::PATCH, format!("{members}/{BOB_ID}"), json!({"role": "editor"})),
        (Method::DELETE, format!("{members}/{BOB_ID}"), json!({})),
    ] {
        let answer = Answer::to(alice.request(method.clone(), &path).json(&body)).await;
        assert_eq!(answer.json()["code"], "not_supported_here", "{method}: {}", answer.text);
        assert!(answer.text.contains("Dify's console"), "{}", answer.text);
    }
    assert_eq!(get(&alice, &format!("workspaces/{ACME}/members")).await.json(), before);
}
