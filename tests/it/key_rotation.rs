//! A new `SECRET_KEY`, with the old one among `SECRET_KEYS_PREVIOUS`: sign-ins that have begun continue, and people
//! stay signed in for the lifetime of an access cookie only.

use chrono::SecondsFormat;
use dify_openapi::testing::ports::Clock as _;
use reqwest::Method;

use crate::support::{Answer, Browser, Device, Stores, TestServer, server::OWNER};

const OLD_KEY: &str = "q8Zr1vYwT0m5uJx3nKc7bPd9sLf2hGa4eWiXoRtN";
const NEW_KEY: &str = "WiXoRtNq8Zr1vYwT0m5uJx3nKc7bPd9sLf2hGa4e";
/// `ACCESS_TOKEN_EXPIRE_MINUTES`, in seconds.
const ACCESS_LIFETIME: i64 = 3_600;

async fn start(stores: Stores) -> TestServer {
    TestServer::start_with(stores, &[("SECRET_KEY", OLD_KEY)]).await
}

/// A server with the new key on the same stores. `is_dated`: it knows that the rotation is now.
async fn rotate(server: &TestServer, is_dated: bool) -> TestServer {
    let previous = format!("old:{OLD_KEY}");
    let now = server.clock.now().to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut variables = vec![("SECRET_KEY", NEW_KEY), ("SECRET_KEYS_PREVIOUS", &previous)];
    if is_dated {
        variables.push(("SECRET_KEY_ROTATED_AT", &now));
    }
    server.replica_with(&variables).await
}

async fn open_page(browser: &Browser, path: &str) -> Answer {
    Answer::to(browser.bare(Method::GET, path)).await
}

async fn enter_code(server: &TestServer, device: &Device) -> String {
    let form = Browser::anonymous(server).bare(Method::POST, "/device").form(&[("user_code", &device.user_code)]);
    Answer::to(form).await.header("location").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn previous_key_opens_codes_and_pages_of_pending_sign_ins() {
    let Some(stores) = Stores::servers().await else { return };
    let old = start(stores).await;
    let (first, second) = (Device::start(&old, "laptop").await, Device::start(&old, "phone").await);
    let page = enter_code(&old, &second).await;
    assert!(page.starts_with("/device/"), "{page}");

    let new = rotate(&old, false).await;
    let browser = Browser::signed_in(&new, OWNER).await;
    assert_eq!(browser.approve(&first.user_code).await.0, 200, "the code is found");
    let token = first.poll_at(&new).await;
    assert_eq!(token.status, 200, "{}", token.text);
    let shown = open_page(&browser, &page).await;
    assert!(shown.status == 200 && shown.text.contains(&second.user_code), "{}", shown.text);
    assert_eq!(browser.deny(&second.user_code).await.0, 200);
    assert_eq!(second.poll_at(&new).await.json()["error"], "access_denied");

    // Without the previous key both are unknown.
    let third = Device::start(&old, "tablet").await;
    let page = enter_code(&old, &third).await;
    let without = old.replica_with(&[("SECRET_KEY", NEW_KEY)]).await;
    let browser = Browser::signed_in(&without, OWNER).await;
    assert_eq!(browser.approve(&third.user_code).await.0, 404);
    assert!(!open_page(&browser, &page).await.text.contains(&third.user_code));
}

on_both_stores!(
    previous_key_authenticates_people_until_their_cookies_expire,
    previous_key_without_a_time_authenticates_nobody
);

async fn previous_key_authenticates_people_until_their_cookies_expire(stores: Stores) {
    let old = start(stores).await;
    let before = Browser::signed_in(&old, OWNER).await;
    let new = rotate(&old, true).await;
    let mut browser = before.at(&new);
    assert!(browser.is_signed_in().await);

    // A cookie that the old key signs later lives longer than any that it may have signed before.
    old.advance(120);
    let forged = Browser::signed_in(&old, OWNER).await.at(&new);
    assert!(!forged.is_signed_in().await);
    assert!(browser.is_signed_in().await);
    old.advance(ACCESS_LIFETIME);
    assert!(!browser.is_signed_in().await);

    // The refresh cookie is not signed. It continues the session under the new key.
    let refreshed = browser.refresh().await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.text);
    browser.take_cookies(&refreshed.headers);
    assert!(browser.is_signed_in().await);
    assert!(!browser.at(&old).is_signed_in().await, "the old key does not know the new one");
}

async fn previous_key_without_a_time_authenticates_nobody(stores: Stores) {
    let old = start(stores).await;
    let browser = Browser::signed_in(&old, OWNER).await;
    let new = rotate(&old, false).await;
    assert!(browser.is_signed_in().await);
    assert!(!browser.at(&new).is_signed_in().await);
}

/// Both phases of a planned rotation, with a replica before and one after each step.
#[tokio::test(flavor = "multi_thread")]
async fn rotation_in_two_phases_on_two_replicas_ends_no_session() {
    let Some(stores) = Stores::servers().await else { return };
    let before = start(stores).await;
    let announced = before.replica_with(&[("SECRET_KEY_NEXT", NEW_KEY)]).await;
    serve_each_other(&before, &announced).await;

    let (previous, rollout) = (format!("old:{OLD_KEY}"), chrono::TimeDelta::minutes(15));
    let end = (before.clock.now() + rollout).to_rfc3339_opts(SecondsFormat::Secs, true);
    let replaced = before
        .replica_with(&[("SECRET_KEY", NEW_KEY), ("SECRET_KEYS_PREVIOUS", &previous), ("SECRET_KEY_ROTATED_AT", &end)])
        .await;
    serve_each_other(&announced, &replaced).await;
    before.advance(300);
    serve_each_other(&announced, &replaced).await;

    // Then all replicas have the new key.
    let last = Browser::signed_in(&announced, OWNER).await;
    before.advance(900);
    assert!(last.at(&replaced).is_signed_in().await);
    let forged = Browser::signed_in(&announced, OWNER).await;
    assert!(!forged.at(&replaced).is_signed_in().await, "a cookie of the replaced key is rejected after the rollout");
    before.advance(ACCESS_LIFETIME);
    assert!(!last.at(&replaced).is_signed_in().await);
}

/// Whether sign-ins and pages that begin at one replica continue at the other, in both directions.
async fn serve_each_other(left: &TestServer, right: &TestServer) {
    for (one, other) in [(left, right), (right, left)] {
        let browser = Browser::signed_in(one, OWNER).await.at(other);
        assert!(browser.is_signed_in().await);
        let (approved, shown) = (Device::start(one, "laptop").await, Device::start(one, "phone").await);
        let page = enter_code(one, &shown).await;
        let answer = open_page(&browser, &page).await;
        assert!(answer.status == 200 && answer.text.contains(&shown.user_code), "{}", answer.text);
        assert_eq!(browser.approve(&approved.user_code).await.0, 200);
        let token = approved.poll_at(other).await;
        assert_eq!(token.status, 200, "{}", token.text);
    }
}
