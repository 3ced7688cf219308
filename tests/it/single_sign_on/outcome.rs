//! The page of the outcome of an external identity's decision.

use super::*;

const CONFIRM: &str = "/openapi/v1/oauth/device/confirm";
const DONE: &str = "/openapi/v1/oauth/device/done";
const OUTCOME: &str = "device_outcome";
const SENTENCE: &str =
    "<bdi translate=\"no\">difyctl</bdi> on <bdi translate=\"no\">laptop</bdi> is signed in as <bdi translate=\"no\">";

on_both_stores!(
    outcome_names_the_device_and_ends_its_session,
    outcome_of_a_denial_names_the_device,
    stranger_with_the_link_learns_nothing,
    ending_requires_the_cookie_its_csrf_token_and_the_own_origin,
    cookie_of_an_outcome_expires_and_opens_nothing_else,
);

/// Decides on the page. Returns the response, with whose cookies the browser goes on.
async fn decide(browser: &mut SsoBrowser<'_>, user_code: &str, decision: &str) -> Answer {
    browser.sign_in(user_code).await;
    let csrf_token = browser.csrf_token().await;
    let form = [("csrf_token", csrf_token.as_str()), ("mine", "yes")];
    let request = browser.browser.bare(Method::POST, &format!("{CONFIRM}/{decision}")).form(&form);
    let answer = Answer::to(request).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    browser.browser.take_cookies(&answer.headers);
    browser.browser.cookies.retain(|_, value| !value.is_empty());
    answer
}

/// The CSRF token of the form that ends the session.
fn csrf_token(page: &str) -> String {
    let (_, after) = page.split_once("name=\"csrf_token\" value=\"").unwrap_or_else(|| panic!("no form: {page}"));
    after.split('"').next().unwrap().to_owned()
}

async fn end(browser: &SsoBrowser<'_>, csrf_token: &str) -> Answer {
    let form = [("csrf_token", csrf_token)];
    Answer::to(browser.browser.bare(Method::POST, &format!("{DONE}/end")).form(&form)).await
}

async fn outcome_names_the_device_and_ends_its_session(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    let answer = decide(&mut browser, &device.user_code, "approve").await;
    assert_eq!(answer.header("location"), format!("{DONE}/approved"));
    let [cleared, sealed] = &answer.cookies()[..] else { panic!("{:?}", answer.cookies()) };
    assert!(cleared.starts_with("device_approval_grant=;"), "{cleared}");
    let value = &browser.browser.cookies[OUTCOME];
    let attributes = format!("{OUTCOME}={value}; Path={DONE}; SameSite=Lax; Max-Age=300; HttpOnly");
    assert_eq!(*sealed, attributes);
    assert!(!value.contains('.'), "encrypted, not only signed: {value}");

    let (_, token) = device.poll().await;
    let bearer = crate::support::Bearer::with_token(&sso, token["token"].as_str().unwrap(), "");
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
    for _ in 0..2 {
        let page = browser.get(&format!("{DONE}/approved")).await;
        assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
        assert!(page.text.contains(SENTENCE) && page.text.contains(ANN), "{}", page.text);
        let main = page.text.split_once("<main").unwrap().1.split_once("</main>").unwrap().0;
        assert!(!main.contains("/device/sessions"), "an external identity has no list");
    }
    let page = browser.get(&format!("{DONE}/approved")).await;
    let ended = end(&browser, &csrf_token(&page.text)).await;
    assert_eq!((ended.status, ended.header("location")), (303, &*format!("{DONE}/approved")));
    assert_eq!(bearer.get("/openapi/v1/account").await.1["code"], "bearer_invalid");
    let again = end(&browser, &csrf_token(&page.text)).await;
    assert_eq!(again.status, 303, "the session has ended already");
    let page = browser.get(&format!("{DONE}/approved")).await;
    assert!(page.text.contains("The session has ended") && page.text.contains("is signed out"), "{}", page.text);
    assert!(!page.text.contains("<form method=\"post\" action=\"/openapi"), "nothing to end");
}

async fn outcome_of_a_denial_names_the_device(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    let answer = decide(&mut browser, &device.user_code, "deny").await;
    assert_eq!(answer.header("location"), format!("{DONE}/denied"));
    let page = browser.get(&format!("{DONE}/denied")).await;
    assert!(page.text.contains("<bdi translate=\"no\">laptop</bdi> was not let in."), "{}", page.text);
    assert!(
        page.text.contains("<span>difyctl</span> <span>auth</span> <span>login</span>"),
        "the command of the client"
    );
    let ended = end(&browser, "").await;
    assert_eq!(ended.status, 401, "there is no session to end");
    let page = browser.get(&format!("{DONE}/approved")).await;
    assert!(page.text.contains("Device authorized") && !page.text.contains("laptop"), "another outcome");
}

async fn stranger_with_the_link_learns_nothing(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    decide(&mut browser, &device.user_code, "approve").await;
    let sealed = browser.browser.cookies[OUTCOME].clone();
    let mut forged = sealed.clone().into_bytes();
    forged[40] = if forged[40] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for cookie in [None, Some(forged.as_str()), Some("x"), Some(&sealed[1..])] {
        let mut stranger = sso.browser();
        if let Some(cookie) = cookie {
            stranger.browser.cookies.insert(OUTCOME.to_owned(), cookie.to_owned());
        }
        let page = stranger.get(&format!("{DONE}/approved")).await;
        assert_eq!(page.status, 200);
        for secret in ["laptop", ANN, "difyctl", "name=\"session\""] {
            assert!(!page.text.contains(secret), "{cookie:?} shows {secret}: {}", page.text);
        }
        let ended = end(&stranger, "").await;
        assert!(ended.status == 401 && ended.text.contains("too old"), "{}", ended.text);
    }
    assert_eq!(device.poll().await.0, 200);
    let reopened = browser.get(&format!("{DONE}/end")).await;
    assert_eq!((reopened.status, reopened.header("location")), (303, &*format!("{DONE}/approved")));
    assert_eq!(browser.get(&format!("{DONE}/other")).await.status, 404);
}

async fn ending_requires_the_cookie_its_csrf_token_and_the_own_origin(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (first, second) = (Device::start(&sso, "first").await, Device::start(&sso, "second").await);
    let mut browser = sso.browser();
    decide(&mut browser, &first.user_code, "approve").await;
    let of_first = csrf_token(&browser.get(&format!("{DONE}/approved")).await.text);
    decide(&mut browser, &second.user_code, "approve").await;
    let of_second = csrf_token(&browser.get(&format!("{DONE}/approved")).await.text);
    for wrong in ["", "x", &of_second[1..], &of_first] {
        assert_eq!(end(&browser, wrong).await.status, 403, "{wrong}");
    }
    for (name, value) in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        let form = [("csrf_token", of_second.as_str())];
        let request = browser.browser.bare(Method::POST, &format!("{DONE}/end")).header(name, value).form(&form);
        assert_eq!(Answer::to(request).await.status, 403, "{name}: {value}");
    }
    assert_eq!((first.poll().await.0, second.poll().await.0), (200, 200), "nothing has ended");
}

async fn cookie_of_an_outcome_expires_and_opens_nothing_else(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    decide(&mut browser, &device.user_code, "approve").await;
    let of_form = csrf_token(&browser.get(&format!("{DONE}/approved")).await.text);
    let mut other = sso.browser();
    other.browser.cookies.insert(GRANT.to_owned(), browser.browser.cookies[OUTCOME].clone());
    assert_eq!(error_code(&other.get(CONTEXT).await), (401, "no_session".to_owned()));
    sso.advance(301);
    let page = browser.get(&format!("{DONE}/approved")).await;
    assert!(page.text.contains("Device authorized") && !page.text.contains("laptop"), "{}", page.text);
    assert_eq!(end(&browser, &of_form).await.status, 401);
    assert_eq!(device.poll().await.0, 200);
}
