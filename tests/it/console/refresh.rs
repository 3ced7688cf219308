//! `POST /console/api/refresh-token`: each refresh token is exchanged once.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Browser, Stores, TestServer, database, server::OWNER};

on_every_database!(
    refresh_sets_new_cookies_for_the_same_session,
    access_token_expires_after_one_hour,
    reused_refresh_token_ends_the_session,
    replaced_refresh_token_is_accepted_for_ten_seconds_without_new_tokens,
    exactly_one_concurrent_refresh_returns_tokens,
    missing_or_unknown_refresh_token_returns_invalid_session,
    refresh_token_expires_after_thirty_days,
    cross_site_refresh_returns_csrf_mismatch,
    refreshing_is_limited_by_address,
    only_hashes_of_refresh_tokens_are_stored
);

async fn refresh_sets_new_cookies_for_the_same_session(stores: Stores) {
    let server = TestServer::start(stores).await;
    let mut browser = Browser::signed_in(&server, OWNER).await;
    let before = browser.cookies.clone();
    server.advance(3_500);
    let answer = browser.refresh().await;
    assert_eq!((answer.status, answer.json()), (200, json!({"result": "success"})));
    browser.take_cookies(&answer.headers);
    for name in ["access_token", "csrf_token", "refresh_token"] {
        assert_ne!(browser.cookies[name], before[name], "{name}");
    }
    server.advance(3_500);
    assert!(browser.is_signed_in().await);
}

async fn access_token_expires_after_one_hour(stores: Stores) {
    let server = TestServer::start(stores).await;
    let mut browser = Browser::signed_in(&server, OWNER).await;
    server.advance(3_590);
    assert!(browser.is_signed_in().await);
    server.advance(10);
    assert!(!browser.is_signed_in().await, "no leeway");
    let answer = browser.refresh().await;
    assert_eq!(answer.status, 200);
    browser.take_cookies(&answer.headers);
    assert!(browser.is_signed_in().await);
}

async fn reused_refresh_token_ends_the_session(stores: Stores) {
    let server = TestServer::start(stores).await;
    let stolen = Browser::signed_in(&server, OWNER).await;
    let other = Browser::signed_in(&server, OWNER).await;
    let mut browser = stolen.clone();
    let answer = browser.refresh().await;
    browser.take_cookies(&answer.headers);
    assert!(browser.is_signed_in().await);
    server.advance(11);
    assert_eq!(stolen.refresh().await.outcome(), (401, "invalid_session".to_owned()));
    assert!(!browser.is_signed_in().await, "the newer cookies are invalid, too");
    assert_eq!(browser.refresh().await.outcome(), (401, "invalid_session".to_owned()));
    assert!(other.is_signed_in().await, "other sessions continue");
}

async fn replaced_refresh_token_is_accepted_for_ten_seconds_without_new_tokens(stores: Stores) {
    let server = TestServer::start(stores).await;
    let first = Browser::signed_in(&server, OWNER).await;
    let mut second = first.clone();
    let answer = second.refresh().await;
    second.take_cookies(&answer.headers);
    server.advance(5);
    let again = first.refresh().await;
    assert_eq!((again.status, again.json()), (200, json!({"result": "success"})));
    assert_eq!(again.cookies(), Vec::<&str>::new());
    assert!(second.is_signed_in().await);
    let answer = second.refresh().await;
    second.take_cookies(&answer.headers);
    assert_eq!(first.refresh().await.outcome(), (401, "invalid_session".to_owned()), "only the immediate predecessor");
    assert!(!second.is_signed_in().await);
}

async fn exactly_one_concurrent_refresh_returns_tokens(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let browser = browser.clone();
            tokio::spawn(async move { browser.refresh().await })
        })
        .collect();
    let mut with_tokens = 0;
    for task in tasks {
        let answer = task.await.unwrap();
        assert_eq!(answer.status, 200);
        with_tokens += usize::from(!answer.cookies().is_empty());
    }
    assert_eq!(with_tokens, 1);
    assert!(browser.is_signed_in().await);
}

async fn missing_or_unknown_refresh_token_returns_invalid_session(stores: Stores) {
    let server = TestServer::start(stores).await;
    assert_eq!(Browser::anonymous(&server).refresh().await.outcome(), (401, "invalid_session".to_owned()));
    let mut browser = Browser::signed_in(&server, OWNER).await;
    browser.cookies.insert("refresh_token".to_owned(), "0".repeat(64));
    assert_eq!(browser.refresh().await.outcome(), (401, "invalid_session".to_owned()));
    assert!(browser.is_signed_in().await, "a wrong refresh token does not end the session");
}

async fn refresh_token_expires_after_thirty_days(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    server.advance(30 * 86_400);
    assert_eq!(browser.refresh().await.outcome(), (401, "invalid_session".to_owned()));
}

async fn cross_site_refresh_returns_csrf_mismatch(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let request = browser.bare(Method::POST, "/console/api/refresh-token").header("origin", "https://evil.example");
    assert_eq!(Answer::to(request).await.outcome(), (403, "csrf_mismatch".to_owned()));
    assert_eq!(browser.refresh().await.status, 200, "the refresh token was not used up");
}

async fn refreshing_is_limited_by_address(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "refresh=2/1m")]).await;
    let anonymous = Browser::anonymous(&server);
    for _ in 0..2 {
        assert_eq!(anonymous.refresh().await.status, 401);
    }
    assert_eq!(anonymous.refresh().await.outcome(), (429, "rate_limited".to_owned()));
}

async fn only_hashes_of_refresh_tokens_are_stored(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    assert_eq!(browser.refresh().await.status, 200);
    let dump = database::dump(&server).await;
    assert!(dump.contains("openapi_browser_sessions"), "the dump shows the table");
    assert!(!dump.contains(&browser.cookies["refresh_token"]));
}
