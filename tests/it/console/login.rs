//! `POST /console/api/login` and `/logout`.

use dify_openapi::testing::{
    domain::{AccountStatus, EndedSessions, Secret},
    ports::Clock as _,
};
use reqwest::Method;
use serde_json::json;

use crate::support::{
    Answer, Browser, Device, Stores, TestServer, database,
    server::{MEMBER, OWNER, PASSWORD},
};

const LOGIN: &str = "/console/api/login";

/// The names and attributes of cookies, without their values.
fn attributes(answer: &Answer) -> Vec<String> {
    let strip = |cookie: &&str| {
        let (pair, rest) = cookie.split_once(';').unwrap();
        format!("{};{rest}", pair.split_once('=').unwrap().0)
    };
    answer.cookies().iter().map(strip).collect()
}

on_every_database!(
    correct_password_sets_the_cookies_of_the_session_and_the_browser,
    login_without_remember_me_sets_session_cookies,
    login_email_ignores_case_and_spaces,
    wrong_password_and_unknown_email_return_the_same_error,
    invalid_login_bodies_return_400,
    cross_site_login_returns_csrf_mismatch,
    logout_ends_only_its_own_session,
    disabled_account_and_new_password_end_browser_sessions,
    password_hash_written_by_dify_is_accepted
);

async fn correct_password_sets_the_cookies_of_the_session_and_the_browser(stores: Stores) {
    let server = TestServer::start(stores).await;
    let answer = Browser::anonymous(&server).login(OWNER, PASSWORD).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    assert_eq!(answer.json(), json!({"result": "success"}));
    assert_eq!(
        attributes(&answer),
        [
            "access_token; Path=/; SameSite=Lax; Max-Age=3600; HttpOnly",
            "csrf_token; Path=/; SameSite=Lax; Max-Age=3600",
            "refresh_token; Path=/; SameSite=Lax; Max-Age=2592000; HttpOnly",
            "known_browser; Path=/; SameSite=Lax; Max-Age=31536000; HttpOnly",
        ]
    );
}

async fn login_without_remember_me_sets_session_cookies(stores: Stores) {
    let server = TestServer::start(stores).await;
    let body = json!({"email": OWNER, "password": "ZGVtby1wYXNzd29yZC0x", "remember_me": false});
    let request = reqwest::Client::new().post(server.at(LOGIN)).json(&body);
    let answer = Answer::to(request).await;
    assert_eq!(answer.status, 200);
    for cookie in attributes(&answer) {
        assert_eq!(cookie.contains("Max-Age"), cookie.starts_with("known_browser"), "{cookie}");
    }
}

async fn login_email_ignores_case_and_spaces(stores: Stores) {
    let server = TestServer::start(stores).await;
    assert_eq!(Browser::anonymous(&server).login(" Demo@Example.COM ", PASSWORD).await.status, 200);
}

async fn wrong_password_and_unknown_email_return_the_same_error(stores: Stores) {
    let server = TestServer::start(stores).await;
    let anonymous = Browser::anonymous(&server);
    database::execute(&server, &format!("UPDATE accounts SET status = 'banned' WHERE email = '{MEMBER}'")).await;
    for (email, password) in [(OWNER, "wrong"), ("nobody@example.com", PASSWORD), (MEMBER, PASSWORD)] {
        let answer = anonymous.login(email, password).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.cookies(), Vec::<&str>::new());
        assert_eq!(answer.header("www-authenticate"), "");
        assert_wire!(answer.json(), @r#"
        {
          "code": "authentication_failed",
          "message": "The email address or the password is wrong.",
          "status": 401
        }
        "#);
    }
}

async fn invalid_login_bodies_return_400(stores: Stores) {
    let server = TestServer::start(stores).await;
    for body in [
        json!({}),
        json!({"email": OWNER}),
        json!({"password": "ZGVtbw=="}),
        json!({"email": OWNER, "password": "not base64!"}),
        json!({"email": OWNER, "password": "//8="}),
        json!({"email": OWNER, "password": 5}),
    ] {
        let answer = Answer::to(reqwest::Client::new().post(server.at(LOGIN)).json(&body)).await;
        assert_eq!(answer.outcome(), (400, "invalid_request".to_owned()), "{body}");
    }
}

async fn cross_site_login_returns_csrf_mismatch(stores: Stores) {
    let server = TestServer::start(stores).await;
    let body = json!({"email": OWNER, "password": "ZGVtby1wYXNzd29yZC0x"});
    for (name, value) in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        let answer = Answer::to(reqwest::Client::new().post(server.at(LOGIN)).header(name, value).json(&body)).await;
        assert_eq!(answer.outcome(), (403, "csrf_mismatch".to_owned()), "{name}: {value}");
    }
    let own = reqwest::Client::new().post(server.at(LOGIN)).header("origin", &server.url).json(&body);
    assert_eq!(Answer::to(own).await.status, 200);
}

async fn logout_ends_only_its_own_session(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (here, there) = (Browser::signed_in(&server, OWNER).await, Browser::signed_in(&server, OWNER).await);
    let answer = Answer::to(here.request(Method::POST, "/console/api/logout")).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"result": "success"})));
    assert!(answer.cookies().iter().all(|cookie| cookie.contains("=; ") && cookie.contains("Max-Age=0")));
    assert_eq!(answer.cookies().len(), 3);
    // The cookies are still valid JWTs, but their session has ended.
    assert!(!here.is_signed_in().await);
    assert_eq!(here.refresh().await.outcome(), (401, "invalid_session".to_owned()));
    let device = Device::start(&server, "laptop").await;
    assert_eq!(here.approve(&device.user_code).await.0, 401);
    assert!(there.is_signed_in().await);
}

async fn disabled_account_and_new_password_end_browser_sessions(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (owner, member) = (Browser::signed_in(&server, OWNER).await, Browser::signed_in(&server, MEMBER).await);
    let now = server.clock.now();
    server.sql().set_account_status(MEMBER, AccountStatus::Banned, now).await.unwrap();
    assert!(!member.is_signed_in().await);
    server.sql().set_account_status(MEMBER, AccountStatus::Active, now).await.unwrap();
    assert!(!member.is_signed_in().await, "the session stays ended");
    server.sql().set_password(OWNER, &Secret::new("$argon2id$unusable"), EndedSessions::All, now).await.unwrap();
    assert!(!owner.is_signed_in().await);
}

async fn password_hash_written_by_dify_is_accepted(stores: Stores) {
    let server = TestServer::start(stores).await;
    // The row of alice@example.com in a database of Dify.
    let password = "NGQ5YzA2OWFmMjdlNmI0NGQ4YzdiZDc1MmNhNThkZGFhNWQ2MzM0YzMwYzA2YTQzNjUwMTgzNWI0ZjQ4ZGNjNw==";
    let statement = format!(
        "UPDATE accounts SET password = '{password}', password_salt = 'AfiG2C9kM3a5NJmmp0/FJw==' \
         WHERE email = '{OWNER}'"
    );
    database::execute(&server, &statement).await;
    let anonymous = Browser::anonymous(&server);
    assert_eq!(anonymous.login(OWNER, PASSWORD).await.status, 401);
    assert_eq!(anonymous.login(OWNER, "passw0rd1").await.status, 401);
    assert_eq!(anonymous.login(OWNER, "Passw0rd1").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn https_cookies_are_secure_with_the_host_prefix() {
    let variables = [("CONSOLE_WEB_URL", "https://console.example"), ("CONSOLE_API_URL", "https://console.example")];
    let server = TestServer::start_with(Stores::Sqlite, &variables).await;
    let answer = Browser::anonymous(&server).login(OWNER, PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        attributes(&answer),
        [
            "__Host-access_token; Path=/; SameSite=Lax; Max-Age=3600; HttpOnly; Secure",
            "__Host-csrf_token; Path=/; SameSite=Lax; Max-Age=3600; Secure",
            "__Host-refresh_token; Path=/; SameSite=Lax; Max-Age=2592000; HttpOnly; Secure",
            "__Host-known_browser; Path=/; SameSite=Lax; Max-Age=31536000; HttpOnly; Secure",
        ]
    );
}
