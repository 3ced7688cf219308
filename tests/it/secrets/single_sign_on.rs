//! Secrets of single sign-on, and its audit events.

use super::{Issued, check, hash};
use crate::{
    single_sign_on::{ANN, APPROVE, GRANT, SsoServer},
    support::{
        Device, Stores,
        logs::Logs,
        openid_provider::{CLIENT_SECRET, parameter},
        server::SECRET_KEY,
    },
};

on_both_stores!(secrets_of_single_sign_on_never_appear_in_logs_metrics_or_stores);

async fn secrets_of_single_sign_on_never_appear_in_logs_metrics_or_stores(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let logs = Logs::capture();
    let mut issued = Issued::default();
    issued.add("SECRET_KEY", SECRET_KEY);
    issued.add("SSO_OIDC_CLIENT_SECRET", CLIENT_SECRET);
    let device = Device::start(&sso, "laptop").await;
    issued.add_device(&device);

    let mut browser = sso.browser();
    let request = browser.start(&device.user_code).await;
    let callback = browser.callback(&request, |_| ());
    let code = callback.split_once("code=").unwrap().1.split_once('&').unwrap().0;
    issued.add("state", &parameter(&request, "state"));
    issued.add("authorization code", code);
    issued.add_cookies(&browser.browser);
    assert_eq!(browser.get(&callback).await.status, 302);
    issued.add_cookies(&browser.browser);
    let csrf_token = browser.csrf_token().await;
    issued.add("csrf_token", &csrf_token);
    let replayed = browser.get(&callback).await;
    assert_eq!(replayed.status, 400);
    check(&sso, &logs, "signing in", &issued, &[]).await;

    assert!(browser.browser.cookies.contains_key(GRANT));
    assert_eq!(browser.decide_with(APPROVE, &device.user_code, "wrong").await.status, 403);
    let mismatched = browser.decide_with(APPROVE, "3333-4444", &csrf_token).await;
    assert_eq!(mismatched.status, 400);
    assert_eq!(browser.decide_with(APPROVE, &device.user_code, &csrf_token).await.status, 200);
    check(&sso, &logs, "approving", &issued, &[]).await;
    let (_, token) = device.poll().await;
    issued.add_token(token["token"].as_str().unwrap());
    check(&sso, &logs, "redeeming", &issued, &[hash(token["token"].as_str().unwrap())]).await;

    let token_id = token["token_id"].as_str().unwrap();
    let approved = ["audit", "oauth.device_flow_approved", ANN, &sso.provider.issuer, "external_sso", token_id];
    assert_eq!(logs.matching(&approved).len(), 1);
    // Other tests provoke the same events, so the request is named.
    let denied = ["audit", "oauth.sso_denied", "replayed", replayed.header("x-request-id")];
    assert_eq!(logs.matching(&denied).len(), 1);
    let id = mismatched.header("x-request-id");
    assert_eq!(logs.matching(&["audit", "oauth.device_flow_rejected", "user_code_mismatch", ANN, id]).len(), 1);
}
