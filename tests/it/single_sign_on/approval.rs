//! What an external identity does with the cookie of its approval.

use super::*;
use crate::support::Bearer;

on_every_database!(approval_mints_a_token_of_the_external_identity, concurrent_approvals_mint_one_token);

on_both_stores!(
    approval_requires_cookie_csrf_token_and_own_origin,
    values_of_another_kind_are_no_approval_cookie,
    another_code_is_a_mismatch,
    expired_cookie_is_an_invalid_session,
    code_that_is_no_longer_pending_cannot_be_approved,
    email_that_belongs_to_an_account_meanwhile_cannot_approve,
    used_cookie_is_already_consumed,
    approvals_are_limited_by_email,
    external_identity_can_deny_the_device,
    console_session_denies_beside_an_approval_cookie
);

async fn approval_mints_a_token_of_the_external_identity(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    browser.sign_in(&device.user_code).await;
    let answer = browser.decide(APPROVE, &device.user_code).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "approved"})));
    let cleared = "device_approval_grant=; Path=/openapi/v1/oauth/device; SameSite=Lax; Max-Age=0; HttpOnly";
    assert_eq!(answer.cookies(), [cleared]);
    let (status, token) = device.poll().await;
    assert_eq!(status, 200, "{token}");
    assert!(token["token"].as_str().unwrap().starts_with("dfoe_"));
    assert_eq!(token["scope"], "apps:run apps:read:permitted-external");
    assert_eq!(token["subject_type"], "external_sso");
    assert_eq!((&token["subject_email"], &token["subject_issuer"]), (&json!(ANN), &json!(sso.provider.issuer)));
    assert_eq!((&token["account"], &token["workspaces"]), (&Value::Null, &json!([])));
    let bearer = Bearer::with_token(&sso, token["token"].as_str().unwrap(), token["token_id"].as_str().unwrap());
    let (status, account) = bearer.get("/openapi/v1/account").await;
    assert_eq!((status, &account["subject_email"]), (200, &json!(ANN)));
    let (_, sessions) = bearer.get("/openapi/v1/account/sessions").await;
    assert_eq!(sessions["total"], 1, "{sessions}");

    // The same device again: its session is rotated.
    let again = Device::start(&sso, "laptop").await;
    browser.sign_in(&again.user_code).await;
    assert_eq!(browser.decide(APPROVE, &again.user_code).await.status, 200);
    assert_eq!(again.poll().await.1["token_id"], token["token_id"]);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 401);
}

async fn concurrent_approvals_mint_one_token(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    browser.sign_in(&device.user_code).await;
    let csrf_token = browser.csrf_token().await;
    let approvals = (0..8).map(|_| browser.decide_with(APPROVE, &device.user_code, &csrf_token));
    let mut outcomes: Vec<_> =
        futures_util::future::join_all(approvals).await.iter().map(|answer| answer.outcome().1).collect();
    outcomes.sort();
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "ok").count(), 1, "{outcomes:?}");
    let lost = ["ok", "already_resolved", "session_already_consumed", "approve_in_progress"];
    assert!(outcomes.iter().all(|outcome| lost.contains(&outcome.as_str())), "{outcomes:?}");
    assert_eq!(database::count(&sso, "oauth_access_tokens").await, 1);
    assert_eq!(device.poll().await.0, 200);
}

async fn approval_requires_cookie_csrf_token_and_own_origin(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    let anonymous = sso.browser();
    assert_eq!(error_code(&sso.browser().get(CONTEXT).await), (401, "no_session".to_owned()));
    let answer = anonymous.decide_with(APPROVE, &device.user_code, "x").await;
    assert_eq!(error_code(&answer), (401, "invalid_session".to_owned()));
    browser.sign_in(&device.user_code).await;
    let csrf_token = browser.csrf_token().await;
    for wrong in ["", "x", &csrf_token[1..]] {
        let answer = browser.decide_with(APPROVE, &device.user_code, wrong).await;
        assert_eq!(error_code(&answer), (403, "csrf_mismatch".to_owned()), "{wrong}");
    }
    for (name, value) in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        let request = browser.browser.bare(Method::POST, APPROVE).header("x-csrf-token", &csrf_token);
        let request = request.header(name, value).json(&json!({"user_code": device.user_code}));
        assert_eq!(error_code(&Answer::to(request).await), (403, "csrf_mismatch".to_owned()), "{name}: {value}");
    }
    let request = browser.browser.bare(Method::POST, APPROVE).header("x-csrf-token", &csrf_token).json(&json!({}));
    assert_eq!(error_code(&Answer::to(request).await), (400, "invalid_request".to_owned()));
    assert_eq!(device.poll_error().await, "authorization_pending");
}

async fn values_of_another_kind_are_no_approval_cookie(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let device = Device::start(&sso, "laptop").await;
    let now = now();
    let valid = json!({
        "iss": sso.url, "subject_email": ANN, "subject_issuer": "https://idp.example", "user_code": device.user_code,
        "nonce": "n", "csrf_token": "c", "aud": "api.device_flow.approval_grant", "iat": now, "exp": now + 300,
    });
    let with = |member: &str, value: Value| {
        let mut claims = valid.clone();
        claims[member] = value;
        claims
    };
    let cases = [
        (valid.clone(), Some("dify-shared-v1"), SECRET_KEY, 200),
        (with("aud", json!("api.sso.state_envelope")), Some("dify-shared-v1"), SECRET_KEY, 401),
        (with("iss", json!("https://other.example")), Some("dify-shared-v1"), SECRET_KEY, 401),
        (with("exp", json!(now - 1)), Some("dify-shared-v1"), SECRET_KEY, 401),
        (with("exp", json!(now + 3_600)), Some("dify-shared-v1"), SECRET_KEY, 401),
        (with("user_code", json!("not a code")), Some("dify-shared-v1"), SECRET_KEY, 401),
        (valid.clone(), Some("another"), SECRET_KEY, 401),
        (valid.clone(), None, SECRET_KEY, 401),
        (valid.clone(), Some("dify-shared-v1"), "another secret of the tests, which is long enough", 401),
    ];
    for (claims, key_id, secret, expected) in cases {
        let header = jsonwebtoken::Header { kid: key_id.map(str::to_owned), ..Default::default() };
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        let mut browser = sso.browser();
        let value = jsonwebtoken::encode(&header, &claims, &key).unwrap();
        browser.browser.cookies.insert(GRANT.to_owned(), value);
        assert_eq!(browser.get(CONTEXT).await.status, expected, "{claims} {key_id:?}");
    }
}

async fn another_code_is_a_mismatch(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (mine, other) = (Device::start(&sso, "mine").await, Device::start(&sso, "other").await);
    let mut browser = sso.browser();
    browser.sign_in(&mine.user_code).await;
    for path in [APPROVE, DENY] {
        let answer = browser.decide(path, &other.user_code).await;
        assert_eq!(error_code(&answer), (400, "user_code_mismatch".to_owned()), "{path}");
    }
    assert_eq!(other.poll_error().await, "authorization_pending");
}

async fn expired_cookie_is_an_invalid_session(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    browser.sign_in(&device.user_code).await;
    let csrf_token = browser.csrf_token().await;
    sso.advance(300);
    assert_eq!(error_code(&browser.get(CONTEXT).await), (401, "no_session".to_owned()));
    let answer = browser.decide_with(APPROVE, &device.user_code, &csrf_token).await;
    assert_eq!(error_code(&answer), (401, "invalid_session".to_owned()));
}

async fn code_that_is_no_longer_pending_cannot_be_approved(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    browser.sign_in(&device.user_code).await;
    let old_cookie = browser.browser.cookies[GRANT].clone();
    let csrf_token = browser.csrf_token().await;
    assert_eq!(browser.decide(APPROVE, &device.user_code).await.status, 200);
    browser.browser.cookies.insert(GRANT.to_owned(), old_cookie);
    let answer = browser.decide_with(APPROVE, &device.user_code, &csrf_token).await;
    assert_eq!(error_code(&answer), (409, "already_resolved".to_owned()));
    assert_eq!(device.poll().await.0, 200);
    let answer = browser.decide_with(APPROVE, &device.user_code, &csrf_token).await;
    assert_eq!(error_code(&answer), (404, "not_found".to_owned()));
}

async fn email_that_belongs_to_an_account_meanwhile_cannot_approve(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    browser.sign_in(&device.user_code).await;
    sso.sql().create_account("Ann@Partner.example", "Ann", None, sso.clock.now()).await.unwrap();
    let answer = browser.decide(APPROVE, &device.user_code).await;
    assert_eq!(error_code(&answer), (403, "email_belongs_to_dify_account".to_owned()));
    assert_eq!(device.poll_error().await, "authorization_pending");
}

async fn used_cookie_is_already_consumed(stores: Stores) {
    use dify_openapi::testing::ports::NonceKind;
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    browser.sign_in(&device.user_code).await;
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(browser.browser.cookies[GRANT].as_bytes()).unwrap();
    let nonces = &sso.running().app.stores().nonces;
    // Another replica approves with the same cookie at this moment.
    assert!(nonces.consume(NonceKind::ApprovalGrant, claims.claims["nonce"].as_str().unwrap()).await.unwrap());
    let answer = browser.decide(APPROVE, &device.user_code).await;
    assert_eq!(error_code(&answer), (401, "session_already_consumed".to_owned()));
    assert_eq!(database::count(&sso, "oauth_access_tokens").await, 0);
}

async fn approvals_are_limited_by_email(stores: Stores) {
    let sso = SsoServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "approve_external=1/1h")]).await;
    let (one, two, mut browser) = (Device::start(&sso, "one").await, Device::start(&sso, "two").await, sso.browser());
    browser.sign_in(&one.user_code).await;
    assert_eq!(browser.decide(APPROVE, &one.user_code).await.status, 200);
    browser.sign_in(&two.user_code).await;
    assert_eq!(error_code(&browser.decide(APPROVE, &two.user_code).await), (429, "rate_limited".to_owned()));
}

async fn external_identity_can_deny_the_device(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    browser.sign_in(&device.user_code).await;
    let answer = browser.decide(DENY, &device.user_code).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "denied"})));
    assert!(answer.cookies()[0].contains("Max-Age=0"));
    assert_eq!(device.poll_error().await, "access_denied");
}

async fn console_session_denies_beside_an_approval_cookie(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    browser.sign_in(&device.user_code).await;
    let mut owner = Browser::signed_in(&sso, OWNER).await;
    owner.cookies.extend(browser.browser.cookies.clone());
    let other = Device::start(&sso, "other").await;
    assert_eq!(owner.deny(&other.user_code).await.0, 200);
    let request = owner.bare(Method::POST, DENY).json(&json!({"user_code": device.user_code}));
    assert_eq!(error_code(&Answer::to(request).await), (403, "csrf_mismatch".to_owned()));
}
