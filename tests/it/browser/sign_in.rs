//! Sign-in and sign-out.

use super::*;

in_both_browsers! {
    wrong_password_is_reported_and_the_right_one_signs_in,
    reload_after_a_wrong_password_submits_nothing,
    sign_in_returns_to_the_code,
    wrong_password_keeps_the_code,
    sign_in_does_not_redirect_to_another_site,
    wrong_passwords_over_the_limit_delay_sign_in,
    sign_out_ends_the_session_and_going_back_shows_nothing,
    expired_access_token_is_refreshed,
    ended_session_asks_for_the_password,
}

async fn wrong_password_is_reported_and_the_right_one_signs_in(visitor: &Visitor) {
    visitor.visit("/signin").await;
    visitor.sign_in_as(OWNER, "not the password").await;
    assert_eq!(visitor.text_of("[role=alert]").await, "The email address or the password is wrong.");
    assert_eq!(visitor.path().await, "/signin?notice=wrong", "the address contains nothing typed");
    assert_eq!(visitor.field_value("#password").await, "", "the password is not kept");
    assert_eq!(visitor.count("#password[aria-invalid=true][aria-describedby=problem]").await, 1);
    // Only with scripts is the email kept.
    let first_empty = if visitor.field_value("#email").await == OWNER { "#password:focus" } else { "#email:focus" };
    visitor.wait_for(first_empty).await;

    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.path().await, "/device");
    assert!(visitor.text_of(".person").await.contains(OWNER));
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

async fn reload_after_a_wrong_password_submits_nothing(visitor: &Visitor) {
    visitor.visit("/signin").await;
    visitor.sign_in_as(OWNER, "not the password").await;
    for _ in 0..6 {
        visitor.reload().await;
        assert_eq!(visitor.text_of("[role=alert]").await, "The email address or the password is wrong.");
    }
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.path().await, "/device", "sign-in is not locked");
    visitor.back().await;
    assert_eq!(visitor.path().await, "/device", "the sign-in page redirects a signed-in person");
    visitor.back().await;
    assert_eq!(visitor.path().await, "/device");
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

async fn sign_in_returns_to_the_code(visitor: &Visitor) {
    let device = visitor.device("laptop").await;
    visitor.visit(&format!("/device?user_code={}", device.user_code)).await;
    assert!(visitor.path().await.starts_with("/device?prefill="), "{}", visitor.path().await);
    assert_eq!(visitor.field_value("#user_code").await, device.user_code, "a link fills the field in");
    visitor.follow(SUBMIT).await;
    assert!(visitor.path().await.starts_with("/signin?return=/device/"));
    assert!(!visitor.address().await.contains(&device.user_code), "the address does not contain the code");
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.text_of(".code strong").await, device.user_code);
    assert!(!visitor.address().await.contains(&device.user_code));
    assert_eq!(device.poll().await.1["error"], "authorization_pending", "a link approves nothing");
}

async fn wrong_password_keeps_the_code(visitor: &Visitor) {
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code.to_lowercase().replace('-', " ")).await;
    visitor.sign_in_as(OWNER, "not the password").await;
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.text_of(".code strong").await, device.user_code);
}

async fn sign_in_does_not_redirect_to_another_site(visitor: &Visitor) {
    visitor.visit("/signin?return=https://evil.example/device/sessions").await;
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.path().await, "/device");
}

async fn wrong_passwords_over_the_limit_delay_sign_in(visitor: &Visitor) {
    visitor.visit("/signin").await;
    for _ in 0..6 {
        visitor.sign_in_as(OWNER, "not the password").await;
    }
    let words = visitor.text_of("[role=alert]").await;
    assert!(words.starts_with("There were too many failed attempts") && words.contains("Try again in "), "{words}");
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert!(visitor.text_of("[role=alert]").await.starts_with("There were too many failed attempts"));
    visitor.server.advance(61);
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.path().await, "/device");
}

async fn sign_out_ends_the_session_and_going_back_shows_nothing(visitor: &Visitor) {
    visitor.sign_in().await;
    Bearer::sign_in(&visitor.server, OWNER, "laptop of Ada").await;
    visitor.visit("/device/sessions").await;
    assert!(visitor.page_text().await.contains("laptop of Ada"));
    visitor.follow(".person button").await;
    assert_eq!(visitor.path().await, "/signin?return=/device/sessions&notice=signed_out");
    assert_eq!(visitor.text_of("[role=status]").await, "You are signed out.");

    visitor.back().await;
    assert!(visitor.path().await.starts_with("/signin"), "{}", visitor.path().await);
    assert!(!visitor.page_text().await.contains("laptop of Ada"));
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.path().await, "/device/sessions", "the return target is kept");
}

async fn expired_access_token_is_refreshed(visitor: &Visitor) {
    visitor.sign_in().await;
    visitor.server.advance(2 * 3_600);
    visitor.visit("/device/sessions").await;
    visitor.continue_session_to("/device/sessions").await;
    assert!(visitor.text_of(".person").await.contains(OWNER));
}

async fn ended_session_asks_for_the_password(visitor: &Visitor) {
    visitor.sign_in().await;
    visitor.server.advance(40 * 86_400);
    visitor.visit("/device/sessions").await;
    visitor.continue_session_to("/signin?return=/device/sessions&notice=ended").await;
    assert_eq!(visitor.text_of("[role=status]").await, "Your session has ended. Sign in again.");
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.path().await, "/device/sessions");
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_form_without_its_cookie_is_shown_again() {
    let Some(visitor) = Visitor::start().await else { return };
    visitor.visit("/signin").await;
    visitor.delete_cookie("signin_token").await;
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.text_of("[role=alert]").await, "This page has expired. Please sign in again.");
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.path().await, "/device");
}

#[tokio::test(flavor = "multi_thread")]
async fn script_keeps_the_typed_email_for_one_page() {
    let Some(visitor) = Visitor::start().await else { return };
    visitor.visit("/signin").await;
    visitor.click("#remember").await;
    visitor.sign_in_as(OWNER, "not the password").await;
    assert_eq!(visitor.field_value("#email").await, OWNER);
    visitor.wait_for("#password:focus").await;
    assert_eq!(visitor.run("return document.querySelector('#remember').checked", &[]).await, true);
    visitor.type_keys(PASSWORD).await;
    visitor.follow(SUBMIT).await;
    assert_eq!(visitor.path().await, "/device");
    assert_eq!(visitor.run("return sessionStorage.length", &[]).await, 0);
}
