//! Single sign-on of accounts on `/signin`.

use super::*;

on_both_stores!(
    account_is_signed_in_by_its_verified_email,
    unknown_and_disabled_accounts_are_not_signed_in,
    only_own_pages_are_return_targets,
    another_site_cannot_start_the_sign_in_of_an_account
);

/// The URL of the authorization request for an account.
async fn start(browser: &mut SsoBrowser<'_>, target: &str) -> Url {
    let answer = browser.get(&format!("/signin/sso?return={target}")).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.header("location").parse().unwrap()
}

async fn account_is_signed_in_by_its_verified_email(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let mut browser = sso.browser();
    let page = browser.get("/signin?return=/device/sessions").await;
    assert!(page.text.contains("href=\"&#x2f;signin&#x2f;sso?return=&#x2f;device&#x2f;sessions\""), "{}", page.text);
    let request = start(&mut browser, "/device/sessions").await;
    let answer = browser.complete(&request, "Demo@Example.com").await;
    assert_eq!((answer.status, answer.header("location")), (302, "/device/sessions"), "{}", answer.text);
    assert!(browser.browser.is_signed_in().await);
    let page = browser.get("/device/sessions").await;
    assert!(page.status == 200 && page.text.contains(OWNER));
}

async fn unknown_and_disabled_accounts_are_not_signed_in(stores: Stores) {
    use dify_openapi::testing::domain::AccountStatus;
    let sso = SsoServer::start(stores).await;
    sso.sql().set_account_status(MEMBER, AccountStatus::Banned, sso.clock.now()).await.unwrap();
    let accounts = database::count(&sso, "accounts").await;
    for email in [ANN, MEMBER] {
        let mut browser = sso.browser();
        let request = start(&mut browser, "/device/sessions").await;
        let answer = browser.complete(&request, email).await;
        let target = "/signin?sso_error=unknown_account&return=/device/sessions";
        assert_eq!((answer.status, answer.header("location")), (302, target), "{email}");
        assert!(!browser.browser.is_signed_in().await, "{email}");
        let page = browser.get(target).await;
        assert!(page.text.contains("There is no Dify account with your email address"), "{}", page.text);
    }
    assert_eq!(database::count(&sso, "accounts").await, accounts, "no account is created");
}

async fn only_own_pages_are_return_targets(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    for target in ["https://evil.example", "//evil.example", "/device/x", ""] {
        let mut browser = sso.browser();
        let request = start(&mut browser, target).await;
        let answer = browser.complete(&request, OWNER).await;
        assert_eq!((answer.status, answer.header("location")), (302, "/device"), "{target}");
    }
}

async fn another_site_cannot_start_the_sign_in_of_an_account(stores: Stores) {
    let sso = SsoServer::start(stores).await;
    let request = Browser::anonymous(&sso).bare(Method::GET, "/signin/sso").header("sec-fetch-site", "cross-site");
    let answer = Answer::to(request.header("sec-fetch-dest", "document")).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/signin"));
}
