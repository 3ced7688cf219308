//! `POST /openapi/v1/oauth/introspect` (RFC 7662), on the listener of internal services.

use dify_openapi::testing::{domain::AccountStatus, ports::Clock as _, rpc::proto::ResolveTokenRequest};
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Stores, TestServer, database,
    grpc::{Clients, internal_channel, reason, with_metadata},
    logs::Logs,
    redact,
    server::{MEMBER, OWNER, SERVICE_KEY},
};

const INTROSPECT: &str = "/openapi/v1/oauth/introspect";
const KEY: &str = "enterprise-api-secret-key";

async fn introspect(server: &TestServer, token: &str) -> Value {
    let request = reqwest::Client::new().post(server.inner(INTROSPECT)).header(KEY, SERVICE_KEY);
    let answer = Answer::to(request.json(&json!({"token": token}))).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{}", answer.text);
    answer.json()
}

/// Does the same as the command `account disable`.
async fn disable(server: &TestServer, email: &str) {
    let revoked = server.sql().set_account_status(email, AccountStatus::Banned, server.clock.now()).await.unwrap();
    for session in revoked {
        server.running().app.stores().token_cache.invalidate(&session.hash).await.unwrap();
    }
}

fn redacted(server: &TestServer, mut body: Value) -> Value {
    assert!(body["exp"].as_i64().unwrap() > 1_700_000_000);
    assert_eq!(body["iss"], server.url);
    body["exp"] = json!("[seconds]");
    body["iss"] = json!("[url]");
    redact(body)
}

on_every_database!(
    active_account_token_shows_its_subject,
    active_external_token_shows_its_issuer,
    invalid_tokens_return_only_inactive,
    introspection_of_an_expired_token_revokes_it,
    introspection_requires_the_service_key_and_a_token,
    wrong_service_keys_are_limited_and_audited_on_both_doors,
    introspection_does_not_consume_the_token_limit,
    introspection_is_not_served_on_the_public_port,
    internal_port_serves_only_introspection
);

async fn active_account_token_shows_its_subject(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let body = introspect(&server, &bearer.token).await;
    assert_eq!((&body["sub"], &body["token_id"]), (&body["account_id"], &bearer.token_id.clone().into()));
    assert_wire!(redacted(&server, body), @r#"
    {
      "account_id": "[uuid]",
      "active": true,
      "client_id": "difyctl",
      "exp": "[seconds]",
      "iss": "[url]",
      "scope": "full",
      "sub": "[uuid]",
      "subject_email": "demo@example.com",
      "subject_type": "account",
      "token_id": "[uuid]",
      "token_type": "Bearer",
      "username": "demo@example.com"
    }
    "#);
}

async fn active_external_token_shows_its_issuer(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (token, _) = database::external_token(&server, "eve@idp.example", "laptop").await;
    assert_wire!(redacted(&server, introspect(&server, &token).await), @r#"
    {
      "active": true,
      "client_id": "difyctl",
      "exp": "[seconds]",
      "iss": "[url]",
      "scope": "apps:run apps:read:permitted-external",
      "sub": "eve@idp.example",
      "subject_email": "eve@idp.example",
      "subject_issuer": "https://idp.example",
      "subject_type": "external_sso",
      "token_id": "[uuid]",
      "token_type": "Bearer",
      "username": "eve@idp.example"
    }
    "#);
}

async fn invalid_tokens_return_only_inactive(stores: Stores) {
    let server = TestServer::start(stores).await;
    let revoked = Bearer::sign_in(&server, OWNER, "revoked").await;
    assert_eq!(introspect(&server, &revoked.token).await["active"], true);
    assert_eq!(revoked.delete("/openapi/v1/account/sessions/self").await.0, 200);
    let expired = Bearer::sign_in(&server, OWNER, "expired").await;
    server.advance(15 * 86_400);
    let banned = Bearer::sign_in(&server, MEMBER, "banned").await;
    assert_eq!(introspect(&server, &banned.token).await["active"], true);
    disable(&server, MEMBER).await;
    let unknown = format!("dfoa_{:043}", 7);
    for token in
        [&revoked.token, &expired.token, &banned.token, &unknown, "app-key", "dfp_key", "nonsense", "dfoa_short"]
    {
        assert_eq!(introspect(&server, token).await, json!({"active": false}), "{token:.9}");
    }
}

async fn introspection_of_an_expired_token_revokes_it(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    server.advance(15 * 86_400);
    assert_eq!(introspect(&server, &bearer.token).await["active"], false);
    assert_eq!(
        database::count(&server, "oauth_access_tokens WHERE revoked_at IS NOT NULL AND token_hash IS NULL").await,
        1
    );
    assert_eq!(bearer.get("/openapi/v1/account").await.1["code"], "bearer_invalid");
}

async fn introspection_requires_the_service_key_and_a_token(stores: Stores) {
    let server = TestServer::start(stores).await;
    let post = |key: Option<&'static str>, body: Value| {
        let mut request = reqwest::Client::new().post(server.inner(INTROSPECT)).json(&body);
        if let Some(key) = key {
            request = request.header(KEY, key);
        }
        Answer::to(request)
    };
    let token = json!({"token": "x"});
    assert_eq!(post(None, token.clone()).await.outcome(), (401, "bearer_missing".to_owned()));
    assert_eq!(post(Some("wrong"), token.clone()).await.outcome(), (401, "bearer_invalid".to_owned()));
    assert_eq!(post(Some(SERVICE_KEY), json!({})).await.outcome(), (400, "invalid_request".to_owned()));
    let form = reqwest::Client::new().post(server.inner(INTROSPECT)).header(KEY, SERVICE_KEY);
    assert_eq!(
        Answer::to(form.form(&[("token", "x"), ("token_type_hint", "access_token")])).await.json(),
        json!({"active": false})
    );
}

async fn wrong_service_keys_are_limited_and_audited_on_both_doors(stores: Stores) {
    let server = TestServer::start(stores).await;
    let logs = Logs::capture();
    let post = |key: &'static str| {
        let request = reqwest::Client::new().post(server.inner(INTROSPECT)).header(KEY, key);
        Answer::to(request.json(&json!({"token": "x"})))
    };
    let mut clients = Clients::on(internal_channel(&server).await);
    let ask = |key: &str| with_metadata(ResolveTokenRequest { token: "x".to_owned() }, KEY, key);
    for _ in 0..5 {
        assert_eq!(post("wrong").await.outcome(), (401, "bearer_invalid".to_owned()));
        assert_eq!(reason(&clients.token.resolve_token(ask("wrong")).await.unwrap_err()), "bearer_invalid");
    }
    assert!(logs.matching(&["audit", "auth.service_key_rejected", "127.0.0.1"]).len() >= 10);
    // Over the limit the right key and a wrong one have the same response.
    for key in ["wrong", SERVICE_KEY] {
        assert_eq!(post(key).await.outcome(), (429, "rate_limited".to_owned()), "{key}");
        assert_eq!(reason(&clients.token.resolve_token(ask(key)).await.unwrap_err()), "rate_limited", "{key}");
    }
    server.advance(6);
    assert_eq!(post(SERVICE_KEY).await.status, 200);
}

async fn introspection_does_not_consume_the_token_limit(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMIT_PER_TOKEN", "1")]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    for _ in 0..5 {
        assert_eq!(introspect(&server, &bearer.token).await["active"], true);
    }
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 429);
    assert_eq!(introspect(&server, &bearer.token).await["active"], true);
}

async fn introspection_is_not_served_on_the_public_port(stores: Stores) {
    let server = TestServer::start(stores).await;
    let request = reqwest::Client::new().post(server.at(INTROSPECT)).header(KEY, SERVICE_KEY);
    assert_eq!(Answer::to(request.json(&json!({"token": "x"}))).await.outcome(), (404, "not_found".to_owned()));
}

async fn internal_port_serves_only_introspection(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    for path in ["/openapi/v1/account", "/openapi/v1/_health", "/device", "/console/api/account/profile"] {
        let request = reqwest::Client::new().get(server.inner(path)).bearer_auth(&bearer.token);
        assert_eq!(Answer::to(request).await.outcome(), (404, "not_found".to_owned()), "{path}");
    }
}
