//! `POST /openapi/v1/oauth/revoke` (RFC 7009): the holder of a token revokes it.

use serde_json::json;

use crate::support::{Answer, Bearer, Stores, TestServer, cli_device::form_request, database, server::OWNER};

const REVOKE: &str = "/openapi/v1/oauth/revoke";

async fn revoke(server: &TestServer, form: &str) -> Answer {
    Answer::to(form_request(server, REVOKE, form)).await
}

on_every_database!(
    token_revokes_itself_by_form,
    token_is_revoked_by_json,
    external_token_is_revoked,
    unknown_tokens_return_200,
    missing_or_duplicate_token_returns_invalid_request,
    revocation_is_limited_by_address
);

async fn token_revokes_itself_by_form(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
    let answer = revoke(&server, &format!("token={}&token_type_hint=refresh_token", bearer.token)).await;
    assert_eq!((answer.status, answer.header("cache-control"), answer.json()), (200, "no-store", json!({})));
    assert_eq!(bearer.get("/openapi/v1/account").await.1["code"], "bearer_invalid");
    assert_eq!(revoke(&server, &format!("token={}", bearer.token)).await.status, 200, "again");
}

async fn token_is_revoked_by_json(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let request = reqwest::Client::new().post(server.at(REVOKE)).json(&json!({"token": bearer.token}));
    assert_eq!(Answer::to(request).await.status, 200);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 401);
}

async fn external_token_is_revoked(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (token, id) = database::external_token(&server, "eve@idp.example", "laptop").await;
    let bearer = Bearer::with_token(&server, &token, &id);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
    assert_eq!(revoke(&server, &format!("token={token}")).await.status, 200);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 401);
}

async fn unknown_tokens_return_200(stores: Stores) {
    let server = TestServer::start(stores).await;
    let unknown = format!("dfoa_{:043}", 1);
    for token in [&unknown, "app-key", "dfp_key", "nonsense", "dfoa_short", "%00"] {
        let answer = revoke(&server, &format!("token={token}")).await;
        assert_eq!((answer.status, answer.json()), (200, json!({})), "{token}");
    }
}

async fn missing_or_duplicate_token_returns_invalid_request(stores: Stores) {
    let server = TestServer::start(stores).await;
    for form in ["", "token=", "token_type_hint=access_token", "token=a&token=b"] {
        let answer = revoke(&server, form).await;
        assert_eq!(answer.outcome(), (400, "invalid_request".to_owned()), "{form}");
        assert_eq!(answer.json()["error"], "invalid_request", "{form}");
    }
}

async fn revocation_is_limited_by_address(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "revoke=2/1m")]).await;
    for _ in 0..2 {
        assert_eq!(revoke(&server, "token=x").await.status, 200);
    }
    let answer = revoke(&server, "token=x").await;
    assert_eq!(answer.outcome(), (429, "rate_limited".to_owned()));
    assert_eq!(answer.json()["error"], "temporarily_unavailable");
    assert_eq!(answer.header("retry-after"), "30");
}
