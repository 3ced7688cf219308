//! Single sign-on with a certified OpenID provider.

use super::*;
use crate::support::{Chromium, Stores, TestServer, certified_provider::CertifiedProvider};

const ANN: &str = "ann@partner.example";
/// The second submit button of the code form.
const SSO: &str = "button[name=sso]";

/// Runs a test on a desktop with scripts, then 320 px wide without scripts, each time on a new server and provider.
async fn run(test: impl AsyncFn(&Visitor)) {
    for is_narrow in [false, true] {
        let Some(provider) = CertifiedProvider::start() else { return };
        let variables = provider.variables();
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let server = TestServer::start_with(Stores::Sqlite, &variables).await;
        let Some(chromium) = Chromium::start().await else { return };
        let visitor = Visitor { chromium, server };
        if is_narrow {
            println!("320 px wide and without scripts");
            visitor.set_view(NARROW).await;
            visitor.disable_scripts().await;
        }
        test(&visitor).await;
    }
}

macro_rules! with_the_provider {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn in_both_browsers() {
                super::run(super::$name).await;
            }
        }
    )+};
}

with_the_provider! {
    external_identity_lets_a_device_in,
    external_identity_cancels,
    cancelled_sign_in_lets_no_device_in,
    two_tabs_sign_in_for_two_codes,
    back_button_decides_nothing_again,
    sign_in_that_took_too_long_is_rejected,
    people_who_may_not_sign_in_see_why,
    account_signs_in_and_returns_to_its_device,
}

/// Types the code and goes to the provider.
async fn go_to_provider(visitor: &Visitor, code: &str) {
    visitor.visit("/device").await;
    visitor.type_into("#user_code", code).await;
    visitor.follow(SSO).await;
    assert_eq!(visitor.text_of(".code strong").await, code);
    visitor.follow("main a.primary").await;
}

/// Signs in at the provider, unless it remembers the person, and agrees. Drops what the browser reports of its pages.
pub(super) async fn sign_in_at_provider(visitor: &Visitor, email: &str) {
    if visitor.count("input[name=login]").await == 1 {
        visitor.type_into("input[name=login]", email).await;
        visitor.type_into("input[name=password]", "any").await;
        visitor.browser_errors().await;
        visitor.follow("button[type=submit].login").await;
    }
    if visitor.count("button[type=submit].login").await == 1 {
        visitor.browser_errors().await;
        visitor.follow("button[type=submit].login").await;
    }
}

async fn external_identity_lets_a_device_in(visitor: &Visitor) {
    let device = visitor.device("laptop of Ann").await;
    go_to_provider(visitor, &device.user_code).await;
    sign_in_at_provider(visitor, ANN).await;
    assert_eq!(visitor.path().await, "/openapi/v1/oauth/device/confirm");
    let shown = visitor.text_of("main").await;
    for words in [device.user_code.as_str(), "laptop of Ann", "unverified", ANN, "http://127.0.0.1:", "list and run"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    visitor.run("document.querySelector('#mine').removeAttribute('required')", &[]).await;
    visitor.follow(AUTHORIZE).await;
    assert!(visitor.text_of("[role=alert]").await.starts_with("Tick the box"));
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert_eq!(visitor.path().await, "/openapi/v1/oauth/device/done/approved");
    assert_eq!(visitor.text_of("h1").await, "Device authorized");
    assert_eq!(visitor.text_of(".sentence").await, format!("difyctl on laptop of Ann is signed in as {ANN}."));
    let (status, token) = device.poll().await;
    assert_eq!((status, &token["subject_email"]), (200, &ANN.into()), "{token}");
    assert!(token["token"].as_str().unwrap().starts_with("dfoe_"));
    let bearer =
        Bearer::with_token(&visitor.server, token["token"].as_str().unwrap(), token["token_id"].as_str().unwrap());
    assert_eq!(bearer.get("/openapi/v1/account").await.1["subject_type"], "external_sso");
    visitor.save_screenshot("sso-approved").await;
    visitor.follow("main form button.danger").await;
    assert_eq!(visitor.text_of("h1").await, "The session has ended");
    assert_eq!(visitor.text_of(".sentence").await, "difyctl on laptop of Ann is signed out.");
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 401);
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

async fn external_identity_cancels(visitor: &Visitor) {
    let device = visitor.device("laptop").await;
    go_to_provider(visitor, &device.user_code).await;
    sign_in_at_provider(visitor, ANN).await;
    visitor.follow(CANCEL).await;
    assert_eq!(visitor.path().await, "/openapi/v1/oauth/device/done/denied");
    assert_eq!(visitor.text_of(".sentence").await, "difyctl on laptop was not let in.");
    assert_eq!(device.poll().await.1["error"], "access_denied");
}

async fn cancelled_sign_in_lets_no_device_in(visitor: &Visitor) {
    let device = visitor.device("laptop").await;
    go_to_provider(visitor, &device.user_code).await;
    visitor.follow(".login-help a").await;
    assert_eq!(visitor.path().await, "/device?sso_error=access_denied");
    assert_eq!(visitor.text_of("h1").await, "Sign-in cancelled");
    assert_eq!(device.poll().await.1["error"], "authorization_pending");
    // The code can still be used.
    go_to_provider(visitor, &device.user_code).await;
    sign_in_at_provider(visitor, ANN).await;
    assert_eq!(visitor.path().await, "/openapi/v1/oauth/device/confirm");
}

async fn two_tabs_sign_in_for_two_codes(visitor: &Visitor) {
    let (first, second) = (visitor.device("first").await, visitor.device("second").await);
    go_to_provider(visitor, &first.user_code).await;
    let (one, two) = visitor.open_tab().await;
    go_to_provider(visitor, &second.user_code).await;
    sign_in_at_provider(visitor, ANN).await;
    assert_eq!(visitor.text_of(".code strong").await, second.user_code);

    // The first tab signs in while the second shows its device.
    visitor.switch_to_tab(&one).await;
    sign_in_at_provider(visitor, ANN).await;
    assert_eq!(visitor.text_of(".code strong").await, first.user_code);
    // The browser has one approval at a time, so the form of the second tab decides nothing.
    visitor.switch_to_tab(&two).await;
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert_eq!(visitor.text_of("h1").await, "Please try that again");
    assert_eq!(second.poll().await.1["error"], "authorization_pending");

    visitor.switch_to_tab(&one).await;
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert_eq!(visitor.path().await, "/openapi/v1/oauth/device/done/approved");
    assert!(first.poll().await.1["token"].is_string());
    // The second tab starts over.
    visitor.switch_to_tab(&two).await;
    go_to_provider(visitor, &second.user_code).await;
    sign_in_at_provider(visitor, ANN).await;
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    visitor.server.advance(10);
    assert!(second.poll().await.1["token"].is_string());
}

async fn back_button_decides_nothing_again(visitor: &Visitor) {
    let device = visitor.device("laptop").await;
    go_to_provider(visitor, &device.user_code).await;
    sign_in_at_provider(visitor, ANN).await;
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert!(device.poll().await.1["token"].is_string());
    visitor.back().await;
    assert_eq!(visitor.path().await, "/openapi/v1/oauth/device/confirm");
    visitor.reload().await;
    assert_eq!(visitor.text_of("h1").await, "This sign-in has ended");
    let sessions = Bearer::sign_in(&visitor.server, OWNER, "another").await;
    assert_eq!(sessions.get("/openapi/v1/account/sessions").await.1["total"], 1);
}

async fn sign_in_that_took_too_long_is_rejected(visitor: &Visitor) {
    let device = visitor.device("laptop").await;
    go_to_provider(visitor, &device.user_code).await;
    visitor.server.advance(901);
    sign_in_at_provider(visitor, ANN).await;
    assert!(visitor.path().await.starts_with("/openapi/v1/oauth/device/sso-complete"));
    assert_eq!(visitor.text_of("h1").await, "This sign-in is not valid");
    visitor.follow("main a.primary").await;
    assert_eq!(visitor.path().await, "/device");
}

async fn people_who_may_not_sign_in_see_why(visitor: &Visitor) {
    let cases = [
        ("unverified@partner.example", "email_not_verified", "has not verified"),
        (OWNER, "email_belongs_to_dify_account", "belongs to a Dify account"),
    ];
    for (email, reason, words) in cases {
        let device = visitor.device("laptop").await;
        go_to_provider(visitor, &device.user_code).await;
        visitor.devtools("Network.clearBrowserCookies", serde_json::json!({})).await;
        go_to_provider(visitor, &device.user_code).await;
        sign_in_at_provider(visitor, email).await;
        assert_eq!(visitor.path().await, format!("/device?sso_error={reason}"));
        let shown = visitor.text_of("main").await;
        assert!(shown.contains(words), "{words}: {shown}");
        assert_eq!(device.poll().await.1["error"], "authorization_pending");
    }
}

async fn account_signs_in_and_returns_to_its_device(visitor: &Visitor) {
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    assert!(visitor.path().await.starts_with("/signin?return=/device/"));
    visitor.follow("main a[href*='/signin/sso']").await;
    sign_in_at_provider(visitor, OWNER).await;
    assert_eq!(visitor.text_of(".code strong").await, device.user_code, "the code is kept");
    assert!(visitor.text_of("header").await.contains(OWNER));
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert!(device.poll().await.1["token"].as_str().unwrap().starts_with("dfoa_"));
}

/// Every page in a language, wide and narrow, light and dark.
async fn pages_in(language: &str) {
    let Some(provider) = CertifiedProvider::start() else { return };
    let variables = provider.variables();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let Some(visitor) = Visitor::start_with(&variables).await else { return };
    visitor.visit(&format!("/device?lang={language}")).await;
    visitor.check_page("sso-enter-code").await;
    visitor.visit("/signin").await;
    visitor.check_page("sso-sign-in").await;
    let device = visitor.device(&"a-device-with-a-very-long-name-".repeat(8)).await;
    visitor.visit("/device").await;
    visitor.type_into("#user_code", &device.user_code).await;
    visitor.follow(SSO).await;
    visitor.check_page("sso-start").await;
    visitor.follow("main a.primary").await;
    sign_in_at_provider(&visitor, ANN).await;
    visitor.check_page("sso-confirm").await;
    let complete = "/openapi/v1/oauth/device/sso-complete?state=x&code=y";
    for (name, path) in [
        ("sso-invalid", complete),
        ("sso-email-taken", "/device?sso_error=email_belongs_to_dify_account"),
        ("sso-cancelled", "/device?sso_error=access_denied"),
        ("sso-unknown-account", "/signin?sso_error=unknown_account"),
    ] {
        visitor.visit(path).await;
        visitor.check_page(name).await;
    }
    visitor.devtools("Network.clearBrowserCookies", serde_json::json!({})).await;
    visitor.visit(&format!("/openapi/v1/oauth/device/confirm?lang={language}")).await;
    visitor.check_page("sso-session").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_in_english() {
    pages_in("en").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_in_chinese() {
    pages_in("zh").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_in_german() {
    pages_in("de").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_in_japanese() {
    pages_in("ja").await;
}
