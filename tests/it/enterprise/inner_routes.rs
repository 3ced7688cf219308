//! `POST /inner/api/auth/check-access-oauth` on the listener of internal services.

use dify_openapi::testing::domain::SubjectType;
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Stores, TestServer, apps, database,
    server::{MEMBER, SERVICE_KEY},
};

on_both_stores!(token_is_checked_with_either_header, errors_have_difys_words, route_is_absent_elsewhere);

const CHECK: &str = "/inner/api/auth/check-access-oauth";

async fn start(stores: Stores) -> TestServer {
    TestServer::start_with(stores, &[("ENTERPRISE_ENABLED", "true")]).await
}

async fn check(server: &TestServer, key: (&str, &str), body: &Value) -> Answer {
    Answer::to(reqwest::Client::new().post(server.inner(CHECK)).header(key.0, key.1).json(body)).await
}

async fn token_is_checked_with_either_header(stores: Stores) {
    let server = start(stores).await;
    let member = Bearer::sign_in(&server, MEMBER, "laptop").await;
    let workspace = apps::shared_workspace(&server).await;
    let account = database::account_id(&server, MEMBER).await;
    for header in ["enterprise-api-secret-key", "x-inner-api-key"] {
        let mut body = check(&server, (header, SERVICE_KEY), &json!({"token": member.token})).await.json();
        assert!(body["expires_at"].as_i64().unwrap() > 1_700_000_000);
        body["expires_at"] = json!(0);
        assert_eq!(
            body,
            json!({
                "account_id": account, "tenant_id": workspace, "subject_type": "account", "client_id": "difyctl",
                "scope": "full", "expires_at": 0, "subject_email": MEMBER, "subject_issuer": null,
            })
        );
    }
    let (token, _) = database::external_token(&server, "eve@idp.example", "laptop").await;
    let body = check(&server, ("x-inner-api-key", SERVICE_KEY), &json!({"token": token})).await.json();
    assert_eq!((&body["account_id"], &body["tenant_id"]), (&Value::Null, &Value::Null));
    assert_eq!((&body["subject_type"], &body["subject_issuer"]), (&json!("external_sso"), &json!(database::ISSUER)));
    assert_eq!(body["scope"], "apps:run apps:read:permitted-external");
}

async fn errors_have_difys_words(stores: Stores) {
    let server = start(stores).await;
    let key = ("x-inner-api-key", SERVICE_KEY);
    let account = database::account_id(&server, MEMBER).await;
    let row = database::TokenRow {
        subject_type: SubjectType::Account,
        account_id: Some(&account),
        email: MEMBER,
        label: "old",
        expires_in: -1,
        revoked: false,
    };
    let (expired, _) = database::insert_token(&server, &row).await;
    let unknown = format!("dfoa_{:043}", 7);
    for (body, status, word) in [
        (json!({"token": expired}), 401, "token_expired"),
        (json!({"token": unknown}), 401, "invalid_token"),
        (json!({"token": "app-0123456789"}), 401, "invalid_token"),
        (json!({}), 400, "invalid_token"),
        (json!([]), 400, "invalid_token"),
    ] {
        let answer = check(&server, key, &body).await;
        assert_eq!((answer.status, answer.json()), (status, json!({"error": word})), "{body}");
    }
    let wrong = check(&server, ("x-inner-api-key", "wrong"), &json!({"token": unknown})).await;
    assert_eq!((wrong.status, wrong.json()), (401, json!({"error": "invalid inner api key"})));
    let get = Answer::to(reqwest::Client::new().get(server.inner(CHECK)).header(key.0, key.1)).await;
    assert_eq!((get.status, get.json()), (405, json!({"error": "method not allowed"})));
}

async fn route_is_absent_elsewhere(stores: Stores) {
    let server = start(stores.clone()).await;
    let public = reqwest::Client::new().post(server.at(CHECK)).header("x-inner-api-key", SERVICE_KEY);
    assert_eq!(Answer::to(public.json(&json!({"token": "x"}))).await.outcome(), (404, "not_found".to_owned()));
    if matches!(stores, Stores::Sqlite) {
        let server = TestServer::start(stores).await;
        let answer = check(&server, ("x-inner-api-key", SERVICE_KEY), &json!({"token": "x"})).await;
        assert_eq!(answer.outcome(), (404, "not_found".to_owned()));
    }
}
