//! Accounts of Dify approve devices with the cookies of Dify's console; invalid cookies are rejected.

use serde_json::{Value, json};

use crate::support::{
    Bearer, Browser, Device, Dify, database,
    dify::{ALICE, ALICE_ID, BOB_ID, SECRET_KEY, signed},
};

const NO_LIMITS: (&str, &str) = ("OPENAPI_RATE_LIMITS", "approve=0,device_code=0,user_code=0,lookup=0");

/// The outcome of an approval of a new code.
async fn approval(dify: &Dify, browser: &Browser) -> (u16, Value) {
    let device = Device::start(dify, "laptop").await;
    let (status, body) = browser.approve(&device.user_code).await;
    (status, if status == 200 { body["status"].clone() } else { body["code"].clone() })
}

#[tokio::test(flavor = "multi_thread")]
async fn account_of_dify_approves_with_the_cookies_of_dify() {
    let Some(dify) = Dify::start().await else { return };
    let browser = dify.browser(ALICE_ID);
    let bearer = Bearer::sign_in_with(&dify, &browser, "laptop").await;
    let (status, body) = bearer.get("/openapi/v1/account").await;
    assert_eq!((status, &body["account"]["id"], &body["subject_email"]), (200, &json!(ALICE_ID), &json!(ALICE)));
    let device = Device::start(&dify, "another").await;
    assert_eq!(dify.browser(BOB_ID).deny(&device.user_code).await.0, 200);
    assert_eq!(device.poll_error().await, "access_denied");
    let device = Device::start(&dify, "a third").await;
    let (_, found) = browser.get(&format!("/openapi/v1/oauth/device/lookup?user_code={}", device.user_code)).await;
    assert_eq!(found["device_label"], "a third", "shown to signed-in callers");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_access_tokens_return_invalid_session() {
    let Some(dify) = Dify::start_with(&[NO_LIMITS]).await else { return };
    let csrf = signed(&dify.csrf_claims(ALICE_ID), SECRET_KEY);
    let good = dify.access_claims(ALICE_ID);
    let now = good["exp"].as_i64().unwrap() - 3_600;
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        signed(&claims, SECRET_KEY)
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        signed(&claims, SECRET_KEY)
    };
    let good_token = signed(&good, SECRET_KEY);
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", good_token.split('.').nth(1).unwrap());
    let table = [
        ("another sub", with("sub", json!("Web API Passport"))),
        ("no sub", without("sub")),
        ("an aud", with("aud", json!("api.sso.state_envelope"))),
        ("an empty aud", with("aud", json!([]))),
        ("a web app's token", with("token_source", json!("webapp"))),
        ("expired in this second", with("exp", json!(now))),
        ("no exp", without("exp")),
        ("another key", signed(&good, "another key, which is long enough to be one of Dify's")),
        ("no signature", unsigned),
        ("an unknown account", with("user_id", json!("00000000-0000-4000-8000-000000000000"))),
        ("no account", without("user_id")),
        ("a CSRF token", csrf.clone()),
        ("no JWT", "dfoa_".to_owned()),
    ];
    for (what, token) in table {
        let outcome = approval(&dify, &dify.browser_with(&token, &csrf)).await;
        assert_eq!(outcome, (401, json!("invalid_session")), "{what}");
    }
    assert_eq!(approval(&dify, &dify.browser_with(&good_token, &csrf)).await, (200, json!("approved")));
    assert_eq!(approval(&dify, &Browser::anonymous(&dify)).await, (401, json!("no_session")));
    let ban = format!("UPDATE accounts SET status = 'banned' WHERE id = '{ALICE_ID}'");
    database::execute(&dify, &ban).await;
    let outcome = approval(&dify, &dify.browser_with(&good_token, &csrf)).await;
    assert_eq!(outcome, (401, json!("invalid_session")), "banned");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_csrf_tokens_return_csrf_mismatch() {
    let Some(dify) = Dify::start_with(&[NO_LIMITS]).await else { return };
    let access = signed(&dify.access_claims(ALICE_ID), SECRET_KEY);
    let good = dify.csrf_claims(ALICE_ID);
    let mut over = good.clone();
    over["exp"] = json!(good["exp"].as_i64().unwrap() - 3_600);
    let table = [
        ("another account", signed(&dify.csrf_claims(BOB_ID), SECRET_KEY)),
        ("expired", signed(&over, SECRET_KEY)),
        ("another key", signed(&good, "another key, which is long enough to be one of Dify's")),
        ("the access token", access.clone()),
        ("none", String::new()),
    ];
    for (what, csrf) in table {
        let outcome = approval(&dify, &dify.browser_with(&access, &csrf)).await;
        assert_eq!(outcome, (403, json!("csrf_mismatch")), "{what}");
    }
    let mut unrepeated = dify.browser(ALICE_ID);
    let device = Device::start(&dify, "laptop").await;
    let request = unrepeated.bare(reqwest::Method::POST, "/openapi/v1/oauth/device/approve");
    let answer = request.json(&json!({"user_code": device.user_code})).send().await.unwrap();
    assert_eq!(answer.status(), 403, "the header is missing");
    unrepeated.cookies.clear();
    assert_eq!(approval(&dify, &unrepeated).await, (401, json!("no_session")));
}

#[tokio::test(flavor = "multi_thread")]
async fn cookie_names_follow_the_settings_of_dify() {
    let (web, api) = (("CONSOLE_WEB_URL", "https://dify.example.com"), "CONSOLE_API_URL");
    let table = [
        (vec![web, (api, "https://dify.example.com")], "__Host-"),
        (vec![web], ""),
        (vec![web, (api, "https://dify.example.com"), ("COOKIE_DOMAIN", "example.com")], ""),
        (vec![web, (api, "http://dify.example.com")], ""),
    ];
    for (variables, prefix) in table {
        let Some(dify) = Dify::start_with(&variables).await else { return };
        let plain = dify.browser(ALICE_ID);
        for named in ["", "__Host-"] {
            let mut browser = plain.clone();
            for (name, value) in &plain.cookies {
                browser.cookies.remove(name);
                browser.cookies.insert(format!("{named}{name}"), value.clone());
            }
            let device = Device::start(&dify, "laptop").await;
            let request = browser.bare(reqwest::Method::POST, "/openapi/v1/oauth/device/approve");
            let request = request.header("x-csrf-token", &plain.cookies["csrf_token"]);
            let answer = request.json(&json!({"user_code": device.user_code})).send().await.unwrap();
            assert_eq!(answer.status(), if named == prefix { 200 } else { 401 }, "{named} at {variables:?}");
        }
    }
}
