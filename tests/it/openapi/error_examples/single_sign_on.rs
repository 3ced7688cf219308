//! Errors of single sign-on.

use dify_openapi::testing::ports::{Clock as _, NonceKind};
use serde_json::Value;

use super::{APPROVE, Document, start};
use crate::{
    single_sign_on::{ANN, APPROVE as APPROVE_EXTERNAL, COMPLETE, GRANT, START, SsoServer},
    support::{Answer, Browser, Device, Stores, server::OWNER},
};

pub(super) async fn errors(document: &mut Document) {
    let sso = SsoServer::start(Stores::Sqlite).await;
    let (device, other) = (Device::start(&sso, "laptop").await, Device::start(&sso, "phone").await);
    let mut browser = sso.browser();
    document.assert_shown("get", START, &browser.get(&format!("{START}?user_code=nothing")).await);
    document.assert_shown("get", COMPLETE, &browser.get(&format!("{COMPLETE}?state=x&code=y")).await);
    let request = browser.start(&other.user_code).await;
    Browser::signed_in(&sso, OWNER).await.deny(&other.user_code).await;
    document.assert_shown("get", COMPLETE, &browser.complete(&request, ANN).await);

    browser.sign_in(&device.user_code).await;
    document.assert_shown("post", APPROVE_EXTERNAL, &browser.decide(APPROVE_EXTERNAL, &other.user_code).await);
    let cookie = browser.browser.cookies[GRANT].clone();
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(cookie.as_bytes()).unwrap().claims;
    let nonce = claims["nonce"].as_str().unwrap();
    assert!(sso.running().app.stores().nonces.consume(NonceKind::ApprovalGrant, nonce).await.unwrap());
    document.assert_shown("post", APPROVE_EXTERNAL, &browser.decide(APPROVE_EXTERNAL, &device.user_code).await);
    sso.sql().create_account(ANN, "Ann", None, sso.clock.now()).await.unwrap();
    document.assert_shown("post", APPROVE_EXTERNAL, &browser.decide(APPROVE_EXTERNAL, &device.user_code).await);

    let without_provider = start(&[("ENTERPRISE_ENABLED", "true")]).await;
    let anonymous = Browser::anonymous(&without_provider);
    let request = anonymous.bare(reqwest::Method::GET, &format!("{START}?user_code={}", device.user_code));
    document.assert_shown("get", START, &Answer::to(request).await);
    let unproven = Browser::anonymous(&sso).request(reqwest::Method::POST, APPROVE);
    document.assert_shown("post", APPROVE, &Answer::to(unproven).await);
}
