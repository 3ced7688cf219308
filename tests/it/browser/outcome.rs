//! The outcome of a decision: who is signed in where, its end, and codes that are entered again.

use super::*;

const CLIENTS: (&str, &str) = ("OPENAPI_KNOWN_CLIENT_IDS", "difyctl,acme-cli");
const COMMANDS: (&str, &str) = ("OPENAPI_CLIENT_COMMANDS", "acme-cli=acme login --at here");
/// More than a day, for which decisions are recorded.
const LONG_SESSIONS: (&str, &str) = ("ACCESS_TOKEN_EXPIRE_MINUTES", "3000");

async fn acme_device(visitor: &Visitor) -> Device {
    Device::start_as(&visitor.server, "acme-cli", "build-box").await
}

/// Enters the code and authorizes the device.
async fn authorize(visitor: &Visitor, device: &Device) {
    visitor.enter_code(&device.user_code).await;
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert!(visitor.path().await.ends_with("/done"), "{}", visitor.path().await);
}

/// The commands on the page.
async fn commands(visitor: &Visitor) -> Vec<String> {
    let script = "return [...document.querySelectorAll('pre')].map((command) => command.textContent.trim())";
    let found = visitor.run(script, &[]).await;
    found.as_array().unwrap().iter().map(|command| command.as_str().unwrap().to_owned()).collect()
}

const END: &str = "main form button.danger";

in_both_browsers! {
    outcome_names_the_session_and_ends_it with CLIENTS => LONG_SESSIONS,
    session_is_ended_before_the_device_has_its_token with CLIENTS => COMMANDS,
    code_that_was_decided_is_recognized with CLIENTS => COMMANDS,
    dead_ends_show_the_command_of_the_client with CLIENTS => COMMANDS,
}

async fn outcome_names_the_session_and_ends_it(visitor: &Visitor) {
    visitor.sign_in().await;
    let (device, other) = (acme_device(visitor).await, visitor.device("laptop").await);
    authorize(visitor, &other).await;
    authorize(visitor, &device).await;
    let sentence = "acme-cli on build-box is signed in as Demo.";
    assert_eq!(visitor.text_of(".sentence").await, sentence);
    let live = |body: serde_json::Value| {
        Bearer::with_token(&visitor.server, body["token"].as_str().unwrap(), body["token_id"].as_str().unwrap())
    };
    let (ended, kept) = (live(device.poll().await.1), live(other.poll().await.1));
    visitor.reload().await;
    assert_eq!(visitor.text_of(".sentence").await, sentence, "redeemed");
    // The page stays open for longer than the record of the decision.
    visitor.server.advance(25 * 3_600);
    visitor.follow(END).await;
    assert_eq!(visitor.text_of("h1").await, "The session has ended");
    assert_eq!(ended.get("/openapi/v1/account").await.0, 401);
    assert_eq!(kept.get("/openapi/v1/account").await.0, 200, "another session is not ended");
    assert_eq!(visitor.count(END).await, 0);
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

async fn session_is_ended_before_the_device_has_its_token(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = acme_device(visitor).await;
    authorize(visitor, &device).await;
    visitor.follow(END).await;
    assert_eq!(visitor.text_of(".sentence").await, "acme-cli on build-box is signed out.");
    assert_eq!(device.poll_error().await, "access_denied");
    visitor.back().await;
    if visitor.count(END).await == 1 {
        // Restored from the cache of the browser.
        visitor.follow(END).await;
    }
    assert_eq!(visitor.text_of("h1").await, "The session has ended");
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

async fn code_that_was_decided_is_recognized(visitor: &Visitor) {
    visitor.sign_in().await;
    let (approved, denied) = (acme_device(visitor).await, visitor.device("laptop").await);
    authorize(visitor, &approved).await;
    visitor.enter_code(&denied.user_code).await;
    visitor.follow(CANCEL).await;
    assert_eq!(visitor.text_of(".sentence").await, "difyctl on laptop was not let in.");
    assert_eq!(commands(visitor).await, [visitor.login_command()]);
    for _ in 0..2 {
        visitor.enter_code(&approved.user_code).await;
        assert_eq!(visitor.text_of("h1").await, "You have approved this code already");
        assert!(visitor.text_of(".sentence").await.starts_with("acme-cli on build-box is signed in as"));
        visitor.enter_code(&denied.user_code).await;
        assert_eq!(visitor.text_of("h1").await, "You have denied this code already");
        // The device gets its answer; the code is gone.
        approved.poll().await;
        denied.poll().await;
    }
    // Other accounts do not learn that the code existed.
    visitor.follow(".person button").await;
    for account in [None, Some(MEMBER)] {
        if let Some(account) = account {
            visitor.visit("/signin").await;
            visitor.sign_in_as(account, PASSWORD).await;
        }
        visitor.enter_code(&approved.user_code).await;
        assert_eq!(visitor.text_of("h1").await, "This code does not work");
        assert_eq!(visitor.count(".sentence").await, 0);
    }
}

async fn dead_ends_show_the_command_of_the_client(visitor: &Visitor) {
    let acme = "acme login --at here";
    visitor.sign_in().await;
    let device = acme_device(visitor).await;
    visitor.enter_code(&device.user_code).await;
    visitor.follow(CANCEL).await;
    assert_eq!(commands(visitor).await, [acme], "denied");
    let device = acme_device(visitor).await;
    visitor.enter_code(&device.user_code).await;
    let shown = "return document.querySelector('.over pre').textContent.trim()";
    assert_eq!(visitor.run(shown, &[]).await, acme, "for the end of the countdown");
    visitor.server.advance(901);
    visitor.reload().await;
    assert_eq!(visitor.text_of("h1").await, "This code is no longer valid");
    assert_eq!(commands(visitor).await, [acme], "expired");
    visitor.enter_code("WXYV-3456").await;
    assert_eq!(commands(visitor).await, [visitor.login_command().as_str(), acme], "no client is known");
    visitor.visit("/device/sessions").await;
    assert_eq!(commands(visitor).await, [visitor.login_command().as_str(), acme], "no session");
}
