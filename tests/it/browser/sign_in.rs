//! Signing in and out.

use super::*;

in_both_browsers! {
    async fn a_wrong_password_is_said_and_the_right_one_signs_in(visitor: &Visitor) {
        visitor.visit("/signin").await;
        visitor.sign_in_as(OWNER, "not the password").await;
        assert_eq!(visitor.text_of("[role=alert]").await, "The email address or the password is wrong.");
        assert_eq!(visitor.path().await, "/signin?wrong=yes", "nothing typed is in the address");
        assert_eq!(visitor.field("#password").await, "", "never shown again");
        assert_eq!(visitor.count("#password[aria-invalid=true][aria-describedby=problem]").await, 1);
        // Scripts keep the address in the tab; without them it is typed again.
        let first_empty = if visitor.field("#email").await == OWNER { "#password:focus" } else { "#email:focus" };
        visitor.until(first_empty).await;

        visitor.sign_in_as(OWNER, PASSWORD).await;
        assert_eq!(visitor.path().await, "/device");
        assert!(visitor.text_of(".person").await.contains(OWNER));
        assert_eq!(visitor.complaints().await, Vec::<String>::new());
    }

    async fn refreshing_after_a_wrong_password_sends_none_again(visitor: &Visitor) {
        visitor.visit("/signin").await;
        visitor.sign_in_as(OWNER, "not the password").await;
        for _ in 0..6 {
            visitor.reload().await;
            assert_eq!(visitor.text_of("[role=alert]").await, "The email address or the password is wrong.");
        }
        visitor.sign_in_as(OWNER, PASSWORD).await;
        assert_eq!(visitor.path().await, "/device", "sign-in is not locked");
        visitor.back().await;
        assert_eq!(visitor.path().await, "/device", "already signed in, so straight on");
        visitor.back().await;
        assert_eq!(visitor.path().await, "/device");
        assert_eq!(visitor.complaints().await, Vec::<String>::new());
    }

    async fn after_signing_in_a_person_is_back_at_the_code(visitor: &Visitor) {
        let device = visitor.device("laptop").await;
        visitor.visit(&format!("/device?user_code={}", device.user_code)).await;
        assert!(visitor.path().await.starts_with("/signin?return=/device/"));
        assert!(!visitor.address().await.contains(&device.user_code), "the address is scrubbed of the code");
        visitor.sign_in_as(OWNER, PASSWORD).await;
        assert_eq!(visitor.text_of(".code strong").await, device.user_code);
        assert!(!visitor.address().await.contains(&device.user_code));
        assert_eq!(device.poll().await.1["error"], "authorization_pending", "nothing is approved by a link alone");
    }

    async fn a_wrong_password_on_the_way_does_not_lose_the_code(visitor: &Visitor) {
        let device = visitor.device("laptop").await;
        visitor.enter_code(&device.user_code.to_lowercase().replace('-', " ")).await;
        visitor.sign_in_as(OWNER, "not the password").await;
        visitor.sign_in_as(OWNER, PASSWORD).await;
        assert_eq!(visitor.text_of(".code strong").await, device.user_code);
    }

    async fn after_signing_in_nobody_is_sent_to_another_site(visitor: &Visitor) {
        visitor.visit("/signin?return=https://evil.example/device/sessions").await;
        visitor.sign_in_as(OWNER, PASSWORD).await;
        assert_eq!(visitor.path().await, "/device");
    }

    async fn too_many_wrong_passwords_lock_for_a_while(visitor: &Visitor) {
        visitor.visit("/signin").await;
        for _ in 0..6 {
            visitor.sign_in_as(OWNER, "not the password").await;
        }
        let words = visitor.text_of("[role=alert]").await;
        assert!(words.starts_with("Too many wrong passwords.") && words.contains("Try again in about"), "{words}");
        visitor.sign_in_as(OWNER, PASSWORD).await;
        assert!(visitor.text_of("[role=alert]").await.starts_with("Too many wrong passwords."));
        visitor.server.advance(86_401);
        visitor.sign_in_as(OWNER, PASSWORD).await;
        assert_eq!(visitor.path().await, "/device");
    }

    async fn signing_out_ends_the_session_and_going_back_shows_nothing(visitor: &Visitor) {
        visitor.sign_in().await;
        Bearer::sign_in(&visitor.server, OWNER, "laptop of Ada").await;
        visitor.visit("/device/sessions").await;
        assert!(visitor.text().await.contains("laptop of Ada"));
        visitor.follow(".person button").await;
        assert_eq!(visitor.path().await, "/signin?return=/device/sessions&done=yes");
        assert_eq!(visitor.text_of("[role=status]").await, "You are signed out.");

        visitor.back().await;
        assert!(visitor.path().await.starts_with("/signin"), "{}", visitor.path().await);
        assert!(!visitor.text().await.contains("laptop of Ada"));
        visitor.sign_in_as(OWNER, PASSWORD).await;
        assert_eq!(visitor.path().await, "/device/sessions", "signing in again leads back");
    }

    async fn a_session_that_ran_out_is_continued_unnoticed(visitor: &Visitor) {
        visitor.sign_in().await;
        visitor.server.advance(2 * 3_600);
        visitor.visit("/device/sessions").await;
        assert_eq!(visitor.path().await, "/device/sessions");
        assert!(visitor.text_of(".person").await.contains(OWNER));
    }

    async fn a_session_that_is_gone_asks_for_the_password(visitor: &Visitor) {
        visitor.sign_in().await;
        visitor.server.advance(40 * 86_400);
        visitor.visit("/device/sessions").await;
        assert_eq!(visitor.path().await, "/signin?return=/device/sessions&ended=yes");
        assert_eq!(visitor.text_of("[role=status]").await, "Your session has ended. Sign in again.");
        visitor.sign_in_as(OWNER, PASSWORD).await;
        assert_eq!(visitor.path().await, "/device/sessions");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_an_earlier_browser_session_is_asked_for_once_more() {
    let Some(visitor) = Visitor::arrive().await else { return };
    visitor.visit("/signin").await;
    visitor.forget("signin_token").await;
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.text_of("[role=alert]").await, "This page has expired. Please sign in again.");
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.path().await, "/device");
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_keep_the_address_that_was_typed_for_one_page() {
    let Some(visitor) = Visitor::arrive().await else { return };
    visitor.visit("/signin").await;
    visitor.click("#remember").await;
    visitor.sign_in_as(OWNER, "not the password").await;
    assert_eq!(visitor.field("#email").await, OWNER);
    visitor.until("#password:focus").await;
    assert_eq!(visitor.run("return document.querySelector('#remember').checked", &[]).await, true);
    visitor.press(PASSWORD).await;
    visitor.follow(SUBMIT).await;
    assert_eq!(visitor.path().await, "/device");
    assert_eq!(visitor.run("return sessionStorage.length", &[]).await, 0);
}
