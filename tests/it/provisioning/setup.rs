//! `/console/api/init` and `/console/api/setup`.

use reqwest::Method;
use serde_json::json;

use super::{ANN, INIT, INIT_PASSWORD, SETUP, administrator};
use crate::support::{
    Answer, Browser, Stores, TestServer,
    command::succeeded,
    database::count,
    logs::Logs,
    server::{OWNER, no_limits},
};

/// Gives `INIT_PASSWORD` and keeps the cookie.
pub(super) async fn give_init_password(browser: &mut Browser) {
    let request = browser.request(Method::POST, INIT).json(&json!({"password": INIT_PASSWORD}));
    let answer = Answer::to(request).await;
    assert_eq!((answer.status, answer.json()), (201, json!({"result": "success"})));
    let [cookie] = answer.cookies()[..] else { panic!("one cookie: {:?}", answer.cookies()) };
    assert!(cookie.ends_with("; Path=/console/api; SameSite=Lax; Max-Age=600; HttpOnly"), "{cookie}");
    assert!(!cookie.contains(INIT_PASSWORD));
    browser.take_cookies(&answer.headers);
}

async fn set_up(browser: &Browser, email: &str) -> (u16, String) {
    Answer::to(browser.request(Method::POST, SETUP).json(&administrator(email))).await.outcome()
}

on_every_database!(concurrent_setups_create_one_administrator);

on_both_stores!(
    setup_without_init_password_works_once,
    server_with_an_account_is_set_up,
    proof_expires_and_cannot_be_forged,
    wrong_init_passwords_are_limited_and_audited,
    administrator_is_checked
);

async fn concurrent_setups_create_one_administrator(stores: Stores) {
    let server = TestServer::start_empty(stores, &[("OPENAPI_RATE_LIMITS", &no_limits())]).await;
    let replica = server.replica().await;
    let setups = (0..8).map(|number| {
        let browser = Browser::anonymous(if number % 2 == 0 { &server } else { &replica });
        async move { set_up(&browser, &format!("admin{number}@example.com")).await }
    });
    let mut outcomes = futures_util::future::join_all(setups).await;
    outcomes.sort();
    assert_eq!(outcomes[0], (201, "ok".to_owned()));
    assert_eq!(outcomes[1..], vec![(403, "already_setup".to_owned()); 7]);
    assert_eq!(count(&server, "accounts").await, 1);
    assert_eq!(count(&server, "tenants").await, 1);
    assert_eq!(count(&server, "tenant_account_joins WHERE role = 'owner'").await, 1);
    replica.stop().await;
}

async fn setup_without_init_password_works_once(stores: Stores) {
    let server = TestServer::start_empty(stores, &[]).await;
    let browser = Browser::anonymous(&server);
    assert_eq!(browser.get(INIT).await, (200, json!({"status": "finished"})));
    let (status, refused) = browser.post(INIT, &json!({"password": "guessed"})).await;
    assert_eq!((status, &refused["code"]), (401, &json!("init_validate_failed")));
    assert_eq!(set_up(&browser, ANN).await, (201, "ok".to_owned()));
    assert_eq!(set_up(&browser, "eve@example.com").await, (403, "already_setup".to_owned()));
    // The administrator may be deleted; that opens no second setup.
    succeeded(server.command(&["workspace", "delete", "Ann's Workspace", "--yes"], ""));
    succeeded(server.command(&["account", "delete", ANN, "--yes"], ""));
    assert_eq!(count(&server, "accounts").await, 0);
    assert_eq!(set_up(&browser, "eve@example.com").await, (403, "already_setup".to_owned()));
}

async fn server_with_an_account_is_set_up(stores: Stores) {
    let server = TestServer::start_with(stores, &[("INIT_PASSWORD", INIT_PASSWORD)]).await;
    let browser = Browser::anonymous(&server);
    assert_eq!(browser.get(INIT).await, (200, json!({"status": "finished"})));
    assert_eq!(browser.get(SETUP).await.1["step"], "finished");
    assert_eq!(set_up(&browser, "eve@example.com").await, (403, "already_setup".to_owned()));
    let (status, refused) = browser.post(INIT, &json!({"password": INIT_PASSWORD})).await;
    assert_eq!((status, &refused["code"]), (403, &json!("already_setup")));
    assert_eq!(count(&server, &format!("accounts WHERE email <> '{OWNER}'")).await, 1, "the member of the tests");
}

async fn proof_expires_and_cannot_be_forged(stores: Stores) {
    let server = TestServer::start_empty(stores, &[("INIT_PASSWORD", INIT_PASSWORD)]).await;
    let mut browser = Browser::anonymous(&server);
    give_init_password(&mut browser).await;
    let proof = browser.cookies["init_validated"].clone();
    let (expires, signature) = proof.split_once('.').unwrap();
    let later = format!("{}.{signature}", expires.parse::<i64>().unwrap() + 3_600);
    for forged in ["", ".", "9999999999.", &later, &format!("{expires}.{}", "0".repeat(64))] {
        browser.cookies.insert("init_validated".to_owned(), forged.to_owned());
        assert_eq!(set_up(&browser, ANN).await, (401, "not_init_validated".to_owned()), "{forged}");
    }
    browser.cookies.insert("init_validated".to_owned(), proof);
    assert_eq!(browser.get(INIT).await.1["status"], "finished");
    server.advance(601);
    assert_eq!(browser.get(INIT).await.1["status"], "not_started");
    assert_eq!(set_up(&browser, ANN).await, (401, "not_init_validated".to_owned()));
    assert_eq!(count(&server, "accounts").await, 0);
}

async fn wrong_init_passwords_are_limited_and_audited(stores: Stores) {
    let logs = Logs::capture();
    let variables = [("INIT_PASSWORD", INIT_PASSWORD), ("OPENAPI_RATE_LIMITS", "init_password=3/15m")];
    let server = TestServer::start_empty(stores, &variables).await;
    let browser = Browser::anonymous(&server);
    // The name of this client distinguishes its events from those of other tests.
    let agent = format!("guesser/{}", uuid::Uuid::new_v4());
    let guess = async || {
        let request = browser.request(Method::POST, INIT).header("user-agent", &agent);
        Answer::to(request.json(&json!({"password": "a-guess-of-the-tests"}))).await.code()
    };
    for _ in 0..3 {
        assert_eq!(guess().await, "init_validate_failed");
    }
    let (status, refused) = browser.post(INIT, &json!({"password": INIT_PASSWORD})).await;
    assert_eq!((status, &refused["code"]), (429, &json!("rate_limited")), "the right one, too");
    assert_eq!(logs.matching(&["INFO audit", "setup.init_password_rejected", "failure", &agent]).len(), 3);
    assert!(!logs.lines().contains("a-guess-of-the-tests"));
    server.advance(901);
    assert_eq!(browser.post(INIT, &json!({"password": INIT_PASSWORD})).await.0, 201);
}

async fn administrator_is_checked(stores: Stores) {
    let server = TestServer::start_empty(stores, &[("OPENAPI_RATE_LIMITS", &no_limits())]).await;
    let browser = Browser::anonymous(&server);
    for (member, value, status) in [
        ("email", json!("no address"), 422),
        ("email", json!(""), 400),
        ("email", json!(7), 400),
        ("name", json!("\u{202e}"), 422),
        ("name", json!("x".repeat(31)), 422),
        ("password", json!("short"), 422),
        ("password", json!(null), 400),
        ("language", json!("<script>"), 422),
    ] {
        let mut body = administrator(ANN);
        body[member] = value;
        let (found, refused) = browser.post(SETUP, &body).await;
        assert_eq!(found, status, "{member}: {refused}");
    }
    let foreign = browser.request(Method::POST, SETUP).header("origin", "https://evil.example");
    assert_eq!(Answer::to(foreign.json(&administrator(ANN))).await.outcome(), (403, "csrf_mismatch".to_owned()));
    assert_eq!(count(&server, "accounts").await, 0);
}
