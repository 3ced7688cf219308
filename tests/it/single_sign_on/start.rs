//! `GET /openapi/v1/oauth/device/sso-initiate`.

use super::*;

on_both_stores!(
    start_redirects_to_the_provider_without_the_user_code,
    only_pending_codes_can_be_signed_in_for,
    start_clears_a_cookie_of_an_earlier_sign_in,
    another_site_cannot_start_a_sign_in,
    starts_are_limited_by_address,
    start_without_a_provider_is_not_configured
);

async fn start_redirects_to_the_provider_without_the_user_code(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    let request = browser.start(&device.user_code).await;
    assert!(request.as_str().starts_with(&format!("{}/auth?", sso.provider.issuer)), "{request}");
    assert_eq!(parameter(&request, "redirect_uri"), sso.at(COMPLETE));
    assert_eq!(parameter(&request, "code_challenge_method"), "S256");
    assert!(!request.as_str().contains(&device.user_code), "the state is sealed");
    let again = browser.start(&device.user_code.to_lowercase().replace('-', "")).await;
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(parameter(&request, name), parameter(&again, name), "{name}");
    }
}

async fn only_pending_codes_can_be_signed_in_for(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let device = Device::start(&sso, "laptop").await;
    assert_eq!(Browser::signed_in(&sso, OWNER).await.deny(&device.user_code).await.0, 200);
    for code in ["3333-3333", "not a code", "", &device.user_code] {
        let answer = sso.browser().get(&format!("{START}?user_code={code}")).await;
        assert_eq!(error_code(&answer), (400, "invalid_user_code".to_owned()), "{code}");
    }
}

async fn start_clears_a_cookie_of_an_earlier_sign_in(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    browser.sign_in(&device.user_code).await;
    assert_eq!(browser.get(CONTEXT).await.status, 200);
    browser.start(&device.user_code).await;
    assert_eq!(error_code(&browser.get(CONTEXT).await), (401, "no_session".to_owned()));
}

async fn another_site_cannot_start_a_sign_in(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let device = Device::start(&sso, "laptop").await;
    let path = format!("{START}?user_code={}", device.user_code);
    let request = Browser::anonymous(&sso).bare(Method::GET, &path).header("sec-fetch-site", "cross-site");
    assert_eq!(error_code(&Answer::to(request).await), (403, "csrf_mismatch".to_owned()));
}

async fn starts_are_limited_by_address(stores: Stores) {
    let sso = SsoServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "sso_initiate=2/1h")]).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    browser.start(&device.user_code).await;
    browser.start(&device.user_code).await;
    let answer = browser.get(&format!("{START}?user_code={}", device.user_code)).await;
    assert_eq!(error_code(&answer), (429, "rate_limited".to_owned()));
}

async fn start_without_a_provider_is_not_configured(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ENTERPRISE_ENABLED", "true")]).await;
    let device = Device::start(&server, "laptop").await;
    for path in [format!("{START}?user_code={}", device.user_code), format!("{COMPLETE}?state=x&code=y")] {
        let answer = Answer::to(Browser::anonymous(&server).bare(Method::GET, &path)).await;
        assert_eq!(error_code(&answer), (404, "sso_not_configured".to_owned()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_provider_is_an_upstream_error_and_heals() {
    let provider = OpenIdProvider::start().await;
    provider.set_down(true);
    let server = TestServer::start_with(Stores::Sqlite, &provider.variables()).await;
    let sso = SsoServer { server, provider };
    let device = Device::start(&sso, "laptop").await;
    let answer = sso.browser().get(&format!("{START}?user_code={}", device.user_code)).await;
    assert_eq!(error_code(&answer), (502, "upstream_error".to_owned()));
    sso.provider.set_down(false);
    sso.advance(10);
    sso.browser().start(&device.user_code).await;
}
