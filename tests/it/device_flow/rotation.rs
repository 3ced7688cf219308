//! A sign-in from a known device rotates its session.

use crate::support::{
    Bearer, Browser, Stores, TestServer, database,
    server::{MEMBER, OWNER},
};

on_every_database!(
    second_sign_in_keeps_the_session_and_ends_the_old_token,
    old_token_ends_at_the_approval_of_the_new_one,
    other_label_or_account_creates_another_session,
    sign_in_after_revocation_creates_a_new_session
);

async fn second_sign_in_keeps_the_session_and_ends_the_old_token(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let old = Bearer::sign_in_with(&server, &browser, "laptop").await;
    assert_eq!(old.get("/openapi/v1/account").await.0, 200);
    let created = "SELECT CAST(created_at AS text) FROM oauth_access_tokens";
    let before = database::text(&server, created).await;
    server.advance(3);
    let new = Bearer::sign_in_with(&server, &browser, "laptop").await;
    assert_eq!(new.token_id, old.token_id);
    assert_ne!(new.token, old.token);
    let (status, body) = old.get("/openapi/v1/account").await;
    assert_eq!((status, body["code"].as_str()), (401, Some("bearer_invalid")));
    assert_eq!(new.get("/openapi/v1/account").await.0, 200);
    assert_eq!(database::count(&server, "oauth_access_tokens").await, 1);
    assert_ne!(database::text(&server, created).await, before);
}

async fn old_token_ends_at_the_approval_of_the_new_one(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let old = Bearer::sign_in_with(&server, &browser, "laptop").await;
    assert_eq!(old.get("/openapi/v1/workspaces").await.0, 200);
    let device = crate::support::Device::start(&server, "laptop").await;
    assert_eq!(old.get("/openapi/v1/workspaces").await.0, 200);
    assert_eq!(browser.approve(&device.user_code).await.0, 200);
    assert_eq!(old.get("/openapi/v1/workspaces").await.0, 401);
}

async fn other_label_or_account_creates_another_session(stores: Stores) {
    let server = TestServer::start(stores).await;
    let owner = Browser::signed_in(&server, OWNER).await;
    let first = Bearer::sign_in_with(&server, &owner, "laptop").await;
    let second = Bearer::sign_in_with(&server, &owner, "phone").await;
    let third = Bearer::sign_in(&server, MEMBER, "laptop").await;
    let ids: std::collections::HashSet<_> = [&first, &second, &third].map(|bearer| bearer.token_id.clone()).into();
    assert_eq!(ids.len(), 3);
    for bearer in [first, second, third] {
        assert_eq!(bearer.get("/openapi/v1/workspaces").await.0, 200);
    }
}

async fn sign_in_after_revocation_creates_a_new_session(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let old = Bearer::sign_in_with(&server, &browser, "laptop").await;
    assert_eq!(old.delete("/openapi/v1/account/sessions/self").await.0, 200);
    let new = Bearer::sign_in_with(&server, &browser, "laptop").await;
    assert_ne!(new.token_id, old.token_id);
    assert_eq!(old.get("/openapi/v1/account").await.0, 401);
    assert_eq!(new.get("/openapi/v1/account").await.0, 200);
    assert_eq!(database::count(&server, "oauth_access_tokens WHERE revoked_at IS NULL").await, 1);
}
