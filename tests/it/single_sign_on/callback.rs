//! `GET /openapi/v1/oauth/device/sso-complete`, as the built-in client's provider calls it.

use super::*;

on_both_stores!(
    callback_sets_the_cookie_of_the_approval,
    invalid_callbacks_are_rejected,
    callback_is_accepted_once,
    callback_in_another_browser_is_rejected,
    callback_of_an_expired_state_is_rejected,
    people_who_may_not_go_on_see_the_reason,
    code_that_was_decided_meanwhile_is_not_pending,
    two_tabs_sign_in_for_two_devices
);

/// Changes the claims of an ID token.
type Change = fn(&mut Value);

/// The grant cookie that a response sets.
fn grant_cookie(answer: &Answer) -> Option<String> {
    answer.cookies().into_iter().find(|cookie| cookie.starts_with(GRANT)).map(str::to_owned)
}

async fn callback_sets_the_cookie_of_the_approval(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    let request = browser.start(&device.user_code).await;
    let answer = browser.complete(&request, ANN).await;
    assert_eq!((answer.status, answer.header("location")), (302, "/device?sso_verified=1"));
    assert_eq!(answer.header("cache-control"), "no-store");
    let cookie = grant_cookie(&answer).unwrap();
    let attributes = cookie.split_once("; ").unwrap().1;
    assert_eq!(attributes, "Path=/openapi/v1/oauth/device; SameSite=Lax; Max-Age=300; HttpOnly");
    let context = browser.get(CONTEXT).await;
    assert_eq!(context.header("cache-control"), "no-store");
    let body = context.json();
    assert_eq!(body["subject_email"], ANN);
    assert_eq!(body["subject_issuer"], sso.provider.issuer);
    assert_eq!(body["user_code"], device.user_code);
    assert_eq!(body["csrf_token"].as_str().unwrap().len(), 43);
    assert!(body["expires_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(browser.get(CONTEXT).await.json(), body, "it can be read again");
}

async fn invalid_callbacks_are_rejected(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let device = Device::start(&sso, "laptop").await;
    let invalid = (400, "invalid_sso_assertion".to_owned());
    let other_issuer = "&iss=https%3A%2F%2Fother.example";
    let changes: [(&str, Change); 5] = [
        ("another client", |claims| claims["aud"] = json!("another client")),
        ("another issuer", |claims| claims["iss"] = json!("https://other.example")),
        ("another nonce", |claims| claims["nonce"] = json!("another")),
        ("expired", |claims| claims["exp"] = json!(1)),
        ("no address", |claims| claims["email"] = json!("ann at partner")),
    ];
    for (case, change) in changes {
        let mut browser = sso.browser();
        let request = browser.start(&device.user_code).await;
        let answer = browser.complete_with(&request, change).await;
        assert_eq!(error_code(&answer), invalid, "{case}");
        assert_eq!(grant_cookie(&answer), None, "{case}");
    }
    for change in ["issuer", "code", "no code", "state", "assertion"] {
        let mut browser = sso.browser();
        let request = browser.start(&device.user_code).await;
        let (path, state) = (browser.callback(&request, |_| ()), parameter(&request, "state"));
        let path = match change {
            "issuer" => path + other_issuer,
            "code" => format!("{COMPLETE}?code=invented&state={state}"),
            "no code" => format!("{COMPLETE}?state={state}"),
            "state" => format!("{path}A"),
            _ => format!("{COMPLETE}?sso_assertion={}", assertion(&device.user_code)),
        };
        assert_eq!(error_code(&browser.get(&path).await), invalid, "{change}");
    }
    for (path, expected) in [(COMPLETE.to_owned(), 400), (format!("{COMPLETE}?state=a&state=b&code=c"), 422)] {
        assert_eq!(sso.browser().get(&path).await.status, expected, "{path}");
    }
    assert_eq!(device.poll_error().await, "authorization_pending");
}

/// A valid assertion of an enterprise service.
fn assertion(user_code: &str) -> String {
    let header = jsonwebtoken::Header { kid: Some("dify-shared-v1".to_owned()), ..Default::default() };
    let now = now();
    let claims = json!({
        "sub_type": "external_sso", "email": ANN, "issuer": "https://idp.example", "user_code": user_code, "nonce": "n",
        "aud": "api.device_flow.external_subject_assertion", "iat": now, "exp": now + 300,
    });
    jsonwebtoken::encode(&header, &claims, &jsonwebtoken::EncodingKey::from_secret(SECRET_KEY.as_bytes())).unwrap()
}

async fn callback_is_accepted_once(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    let request = browser.start(&device.user_code).await;
    assert_eq!(browser.complete(&request, ANN).await.status, 302);
    let again = browser.complete(&request, ANN).await;
    assert_eq!(error_code(&again), (400, "invalid_sso_assertion".to_owned()));
}

async fn callback_in_another_browser_is_rejected(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let device = Device::start(&sso, "laptop").await;
    let request = sso.browser().start(&device.user_code).await;
    // A victim without a sign-in, and one with a sign-in for the same code.
    let (mut idle, mut busy) = (sso.browser(), sso.browser());
    busy.start(&device.user_code).await;
    for browser in [&mut idle, &mut busy] {
        let answer = browser.complete(&request, ANN).await;
        assert_eq!(error_code(&answer), (400, "invalid_sso_assertion".to_owned()));
    }
}

async fn callback_of_an_expired_state_is_rejected(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    let request = browser.start(&device.user_code).await;
    sso.advance(900);
    let answer = browser.complete(&request, ANN).await;
    assert_eq!(error_code(&answer), (400, "invalid_sso_assertion".to_owned()));
}

async fn people_who_may_not_go_on_see_the_reason(stores: Stores) {
    let variables = [("SSO_OIDC_ALLOWED_DOMAINS", "partner.example,example.com")];
    let sso = SsoServer::start_with(stores, &variables).await;
    let device = Device::start(&sso, "laptop").await;
    let changes: [(Change, &str); 5] = [
        (|claims| claims["email_verified"] = json!(false), "email_not_verified"),
        (|claims| claims["email_verified"] = Value::Null, "email_not_verified"),
        (|claims| claims["email"] = json!("eve@other.example"), "email_domain_not_allowed"),
        (|claims| claims["email"] = json!(OWNER), "email_belongs_to_dify_account"),
        (|claims| claims["email"] = json!(OWNER.to_uppercase()), "email_belongs_to_dify_account"),
    ];
    for (change, reason) in changes {
        let mut browser = sso.browser();
        let request = browser.start(&device.user_code).await;
        let answer = browser.complete_with(&request, change).await;
        let expected = format!("/device?sso_error={reason}");
        assert_eq!((answer.status, answer.header("location")), (302, expected.as_str()), "{}", answer.text);
        assert_eq!(grant_cookie(&answer), None);
    }
    let mut browser = sso.browser();
    let request = browser.start(&device.user_code).await;
    let answer = browser.get(&format!("{COMPLETE}?error=access_denied&state={}", parameter(&request, "state"))).await;
    assert_eq!((answer.status, answer.header("location")), (302, "/device?sso_error=access_denied"));
}

async fn code_that_was_decided_meanwhile_is_not_pending(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    let request = browser.start(&device.user_code).await;
    assert_eq!(Browser::signed_in(&sso, OWNER).await.deny(&device.user_code).await.0, 200);
    let answer = browser.complete(&request, ANN).await;
    assert_eq!(error_code(&answer), (409, "user_code_not_pending".to_owned()));
}

async fn two_tabs_sign_in_for_two_devices(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (one, two, mut browser) = (Device::start(&sso, "one").await, Device::start(&sso, "two").await, sso.browser());
    let (first, second) = (browser.start(&one.user_code).await, browser.start(&two.user_code).await);
    assert_eq!(browser.complete(&second, ANN).await.status, 302);
    assert_eq!(browser.decide(APPROVE, &two.user_code).await.status, 200);
    assert_eq!(browser.complete(&first, ANN).await.status, 302);
    assert_eq!(browser.decide(APPROVE, &one.user_code).await.status, 200);
    assert_eq!((one.poll().await.0, two.poll().await.0), (200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_that_fails_during_the_callback_is_an_upstream_error() {
    let sso = SsoServer::start(Stores::Sqlite).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    let request = browser.start(&device.user_code).await;
    sso.provider.set_down(true);
    let answer = browser.complete(&request, ANN).await;
    assert_eq!(error_code(&answer), (502, "upstream_error".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_sees_errors_as_a_page_in_its_language() {
    let sso = SsoServer::start(Stores::Sqlite).await;
    for (language, title) in [("en", "This sign-in is not valid"), ("zh", "此次登录无效")] {
        let request = Browser::anonymous(&sso).bare(Method::GET, &format!("{COMPLETE}?state=x&code=y"));
        let request = request.header("accept", "text/html,*/*;q=0.8").header("accept-language", language);
        let answer = Answer::to(request).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, "text/html; charset=utf-8"));
        assert!(answer.text.contains(title), "{}", answer.text);
        assert!(answer.header("content-security-policy").contains("form-action 'self'"));
    }
}
