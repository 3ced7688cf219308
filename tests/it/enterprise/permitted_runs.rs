//! `POST /permitted-external-apps/{id}/run`, and the rows that it writes.

use dify_openapi::testing::{
    domain::SubjectType,
    rpc::proto::{
        RunPermittedExternalAppRequest, permitted_external_app_service_client::PermittedExternalAppServiceClient,
    },
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Stores, TestServer, apps,
    command::succeeded,
    database,
    grpc::{channel, with_bearer},
    logs::Logs,
    runs::prompt_app,
};

on_both_stores!(external_identity_runs_a_permitted_app, conversations_belong_to_email_and_issuer);

/// A server with an open app.
async fn open_app(stores: Stores) -> (TestServer, String) {
    let server = TestServer::start_with(stores, &[("ENTERPRISE_ENABLED", "true")]).await;
    let app = prompt_app(&server, "chat").await;
    succeeded(server.command(&["app", "access-mode", "set", &app, "sso_verified"], ""));
    (server, app)
}

async fn external(server: &TestServer, email: &str, issuer: &str) -> Bearer {
    let row = database::TokenRow {
        subject_type: SubjectType::ExternalSso,
        account_id: None,
        email,
        label: &uuid::Uuid::new_v4().to_string(),
        expires_in: 3_600,
        revoked: false,
    };
    let (token, id) = database::insert_token(server, &row).await;
    let update = format!("UPDATE oauth_access_tokens SET subject_issuer = '{issuer}' WHERE id = '{id}'");
    assert_eq!(database::execute(server, &update).await, 1);
    Bearer::with_token(server, &token, &id)
}

fn request(bearer: &Bearer, app: &str, body: &Value) -> reqwest::RequestBuilder {
    bearer.request(Method::POST, &format!("/openapi/v1/permitted-external-apps/{app}/run")).json(body)
}

fn hello() -> Value {
    json!({"inputs": {"name": "Eve"}, "query": "Reply exactly: Good morning"})
}

async fn external_identity_runs_a_permitted_app(stores: Stores) {
    let logs = Logs::capture();
    let (server, app) = open_app(stores).await;
    let eve = external(&server, "Eve@idp.example", "https://one.example").await;
    let answer = Answer::to(request(&eve, &app, &hello())).await;
    assert_eq!((answer.status, &answer.json()["answer"]), (200, &json!("Good morning")), "{}", answer.text);
    let streamed = Answer::to(request(&eve, &app, &hello()).header("accept", "text/event-stream")).await;
    assert!(streamed.header("content-type").starts_with("text/event-stream"), "{:?}", streamed.headers);
    assert!(streamed.text.contains("\"message_end\""), "{}", streamed.text);
    let mut client = PermittedExternalAppServiceClient::new(channel(&server).await);
    let message = RunPermittedExternalAppRequest {
        id: app.clone(),
        inputs: Some(serde_json::from_value(json!({"name": "Eve"})).unwrap()),
        query: Some("Reply exactly: Good morning".to_owned()),
        ..Default::default()
    };
    let mut events = client.run_permitted_external_app(with_bearer(message, &eve.token)).await.unwrap().into_inner();
    let mut names = Vec::new();
    while let Some(event) = events.message().await.unwrap() {
        names.push(event.event);
    }
    assert_eq!(names.last().map(String::as_str), Some("message_end"), "{names:?}");

    // The runs belong to one end user of the app and its workspace.
    let workspace = apps::shared_workspace(&server).await;
    let of_eve = format!(
        "end_users WHERE type = 'openapi' AND session_id = 'eve@idp.example' AND external_user_id = 'eve@idp.example' \
         AND app_id = '{app}' AND tenant_id = '{workspace}'"
    );
    assert_eq!(database::count(&server, &of_eve).await, 1);
    assert_eq!(database::count(&server, "end_users").await, 1);
    let owned = "conversations WHERE from_end_user_id = (SELECT id FROM end_users)";
    assert_eq!(database::count(&server, owned).await, 3);
    assert_eq!(logs.matching(&["app.run.openapi", &app, "permitted-external-apps", "oauth_sso"]).len(), 3);
    let rejected = [
        (json!({"query": "x"}), 400, "invalid_request"),
        (json!({"inputs": {}}), 422, "query_required_for_chat"),
        (json!({"inputs": {}, "query": "x", "response_mode": "odd"}), 422, "invalid_param"),
        (json!({"inputs": {}, "query": "x", "conversation_id": "odd"}), 422, "invalid_param"),
    ];
    for (body, status, code) in rejected {
        assert_eq!(Answer::to(request(&eve, &app, &body)).await.outcome(), (status, code.to_owned()), "{body}");
    }
}

async fn conversations_belong_to_email_and_issuer(stores: Stores) {
    let (server, app) = open_app(stores).await;
    let eve = external(&server, "eve@idp.example", "https://one.example").await;
    let first = Answer::to(request(&eve, &app, &hello())).await;
    assert_eq!(first.status, 200, "{}", first.text);
    let mut again = hello();
    again["conversation_id"] = first.json()["conversation_id"].clone();
    assert_eq!(Answer::to(request(&eve, &app, &again)).await.status, 200);
    let not_found = (404, "not_found".to_owned());
    for other in [
        external(&server, "eve@idp.example", "https://two.example").await,
        external(&server, "mallory@idp.example", "https://one.example").await,
    ] {
        assert_eq!(Answer::to(request(&other, &app, &again)).await.outcome(), not_found);
    }
    let other_app = prompt_app(&server, "chat").await;
    succeeded(server.command(&["app", "access-mode", "set", &other_app, "public"], ""));
    assert_eq!(Answer::to(request(&eve, &other_app, &again)).await.outcome(), not_found);
    // Sessions of the two issuers do not end each other.
    let two = external(&server, "eve@idp.example", "https://two.example").await;
    let end = two.request(Method::DELETE, &format!("/openapi/v1/account/sessions/{}", eve.token_id));
    assert_eq!(Answer::to(end).await.outcome(), not_found);
    let (_, sessions) = eve.get("/openapi/v1/account/sessions").await;
    assert_eq!(sessions["total"], 1);
}
