//! The decision about a device.

use super::*;

/// Seconds between polls, more than the interval.
const INTERVAL: i64 = 6;

/// The response to a poll after the interval.
async fn poll(visitor: &Visitor, device: &Device) -> serde_json::Value {
    visitor.server.advance(INTERVAL);
    device.poll().await.1
}

in_both_browsers! {
    confirmed_device_is_authorized,
    authorization_requires_the_confirmation,
    cancel_denies_the_device_without_a_confirmation,
    code_decided_elsewhere_is_not_decided_again,
    expired_code_shows_the_login_command,
    device_at_another_address_shows_a_warning with ("TRUSTED_PROXIES", "127.0.0.1/32"),
    decisions_are_limited with ("OPENAPI_RATE_LIMITS", "approve=1/1h"),
}

async fn confirmed_device_is_authorized(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = visitor.device("laptop of Ada").await;
    visitor.enter_code(&device.user_code).await;
    let shown = visitor.text_of("main").await;
    for words in ["difyctl", "laptop of Ada", "unverified", "127.0.0.1", OWNER, "Demo Workspace"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    // A script replaces the text of a recent time and keeps it as the title.
    let time = "const time = document.querySelector('time'); return time.textContent + time.title";
    assert!(visitor.run(time, &[]).await.as_str().unwrap().contains("UTC"));
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert!(visitor.path().await.ends_with("/done"));
    assert_eq!(visitor.text_of("h1").await, "Device authorized");
    let token = poll(visitor, &device).await;
    let bearer =
        Bearer::with_token(&visitor.server, token["token"].as_str().unwrap(), token["token_id"].as_str().unwrap());
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

async fn authorization_requires_the_confirmation(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    let page = visitor.path().await;
    visitor.click(AUTHORIZE).await;
    assert_eq!(visitor.path().await, page, "the browser requires the checkbox");

    // The server requires it, too.
    visitor.run("document.querySelector('#mine').removeAttribute('required')", &[]).await;
    visitor.follow(AUTHORIZE).await;
    assert!(visitor.text_of("[role=alert]").await.starts_with("Tick the box"));
    assert_eq!(poll(visitor, &device).await["error"], "authorization_pending");
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert!(visitor.path().await.ends_with("/done"));
    assert!(poll(visitor, &device).await["token"].is_string());
}

async fn cancel_denies_the_device_without_a_confirmation(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    let size = "const { width, height } = document.querySelector(arguments[0]).getBoundingClientRect();
        return [Math.round(width), Math.round(height)]";
    let (yes, no) = (visitor.run(size, &[AUTHORIZE.into()]).await, visitor.run(size, &[CANCEL.into()]).await);
    assert_eq!(yes, no, "both buttons have the same size");
    assert!(yes[1].as_u64().unwrap() < 50, "the label is on one line");
    visitor.follow(CANCEL).await;
    assert!(visitor.path().await.ends_with("/done"));
    assert_eq!(visitor.text_of("h1").await, "Request denied");
    assert_eq!(poll(visitor, &device).await["error"], "access_denied");
}

async fn code_decided_elsewhere_is_not_decided_again(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    assert_eq!(Browser::signed_in(&visitor.server, OWNER).await.deny(&device.user_code).await.0, 200);
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert_eq!(visitor.text_of("h1").await, "Already decided");
    assert_eq!(visitor.text_of("pre").await, visitor.login_command());
    assert_eq!(poll(visitor, &device).await["error"], "access_denied");
}

async fn expired_code_shows_the_login_command(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    visitor.server.advance(901);
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    for title in ["This code is no longer valid", "This code does not work"] {
        assert_eq!(visitor.text_of("h1").await, title);
        assert_eq!(visitor.text_of("pre").await, visitor.login_command());
        visitor.enter_code(&device.user_code).await;
    }
}

async fn device_at_another_address_shows_a_warning(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = Device::start_from(&visitor.server, "laptop", "203.0.113.7").await;
    visitor.enter_code(&device.user_code).await;
    let words = visitor.text_of("[role=note]").await;
    assert!(
        words.contains("differs from yours") && words.contains("203.0.113.7") && words.contains("127.0.0.1"),
        "{words}"
    );
}

async fn decisions_are_limited(visitor: &Visitor) {
    visitor.sign_in().await;
    for expected in ["Request denied", "Too many attempts"] {
        let device = visitor.device("laptop").await;
        visitor.enter_code(&device.user_code).await;
        visitor.follow(CANCEL).await;
        assert_eq!(visitor.text_of("h1").await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn countdown_ends_with_the_login_command() {
    let Some(visitor) = Visitor::start().await else { return };
    let clock = "const real = Date.now; window.ahead = 0; Date.now = () => real() + window.ahead";
    visitor.devtools("Page.addScriptToEvaluateOnNewDocument", serde_json::json!({"source": clock})).await;
    visitor.set_view(NARROW).await;
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    let shown = visitor.text_of(".countdown").await;
    assert!(shown.contains("15:00") || shown.contains("14:5"), "{shown}");
    assert_eq!(visitor.text_of("[role=status]").await, "", "a screen reader does not announce every second");

    visitor.run("window.ahead = 850_000", &[]).await;
    visitor.wait_for(".countdown.soon").await;
    assert!(visitor.text_of("[role=status]").await.contains("Time left: 0:"));
    visitor.run("window.ahead = 901_000", &[]).await;
    visitor.wait_for("[role=alert]:not([hidden])").await;
    let words = visitor.text_of("[role=alert]").await;
    assert!(words.contains(&visitor.login_command()), "{words}");
    assert_eq!(visitor.text_of("h1").await, "This code is no longer valid");
    assert_eq!(visitor.run("return document.title", &[]).await, "This code is no longer valid · Dify");
    let focused = "return document.activeElement === document.querySelector('[role=alert]')";
    assert_eq!(visitor.run(focused, &[]).await, true);
    let seen = "const { top, bottom } = document.querySelector('[role=alert]').getBoundingClientRect();
        return top >= 0 && bottom <= innerHeight";
    assert_eq!(visitor.run(seen, &[]).await, true, "visible without scrolling");
    assert_eq!(visitor.run("return document.querySelector('main form').checkVisibility()", &[]).await, false);
    visitor.check_page("approve-run-out").await;
}
