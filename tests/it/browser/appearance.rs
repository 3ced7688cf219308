//! Every state of the pages in every language, both colour schemes, wide and narrow: axe-core finds no violation,
//! nothing overflows, the browser reports no error. Screenshots are saved in the test output.

use super::*;

/// Defines a test in each language for each named `async fn name(language: &str)`.
macro_rules! in_every_language {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn in_english() {
                super::$name("en").await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn in_chinese() {
                super::$name("zh").await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn in_german() {
                super::$name("de").await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn in_japanese() {
                super::$name("ja").await;
            }
        }
    )+};
}

mod failures;

/// A visitor who has chosen a language, at a server with these variables; `None` without a browser.
async fn visitor_in(language: &str, variables: &[(&str, &str)]) -> Option<Visitor> {
    let visitor = Visitor::start_with(variables).await?;
    visitor.visit(&format!("/device?lang={language}")).await;
    Some(visitor)
}

/// Nearly the maximal length, without a space.
fn long_label() -> String {
    "a-device-with-a-very-long-name-".repeat(8)
}

in_every_language! {
    sign_in_pages,
    continue_and_prefilled_pages,
    device_pages,
    rejection_pages,
    session_pages,
    pages_of_other_clients,
}

async fn sign_in_pages(language: &str) {
    let Some(visitor) = visitor_in(language, &[]).await else { return };
    visitor.visit("/signin").await;
    visitor.check_page("sign-in").await;
    visitor.sign_in_as(OWNER, "not the password").await;
    visitor.check_page("sign-in-wrong").await;
    for _ in 0..5 {
        visitor.sign_in_as(OWNER, "not the password").await;
    }
    visitor.check_page("sign-in-locked").await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    visitor.check_page("sign-in-for-device").await;
    visitor.delete_cookie("signin_token").await;
    visitor.sign_in_as(MEMBER, PASSWORD).await;
    visitor.check_page("sign-in-stale").await;
}

async fn continue_and_prefilled_pages(language: &str) {
    let Some(visitor) = visitor_in(language, &[]).await else { return };
    visitor.sign_in().await;
    visitor.server.advance(2 * 3_600);
    // The script does not submit the page again within ten seconds.
    visitor.run("sessionStorage.setItem('device-pages.submitted', String(Date.now()))", &[]).await;
    visitor.visit("/device/sessions").await;
    visitor.check_page("continue").await;
    let device = visitor.device("laptop").await;
    visitor.visit(&format!("/device?user_code={}", device.user_code)).await;
    visitor.check_page("enter-code-prefilled").await;
    let filled = visitor.path().await;
    visitor.visit(&format!("{filled}&partial=yes")).await;
    visitor.check_page("enter-code-partial").await;
}

async fn device_pages(language: &str) {
    let Some(visitor) = visitor_in(language, &[("TRUSTED_PROXIES", "127.0.0.1/32")]).await else { return };
    visitor.visit("/device").await;
    visitor.check_page("enter-code").await;
    visitor.enter_code("ABCD-EFG0").await;
    visitor.check_page("enter-code-typo").await;
    visitor.sign_in().await;
    visitor.check_page("enter-code-signed-in").await;

    let device = visitor.device("laptop of Ada").await;
    visitor.enter_code(&device.user_code).await;
    visitor.check_page("approve").await;
    visitor.click("#mine").await;
    visitor.check_page("approve-ticked").await;
    visitor.click("#mine").await;
    visitor.run("document.querySelector('#mine').removeAttribute('required')", &[]).await;
    visitor.follow(AUTHORIZE).await;
    visitor.check_page("approve-without-tick").await;
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    visitor.check_page("approved").await;
    visitor.enter_code(&device.user_code).await;
    visitor.check_page("approved-again").await;
    visitor.follow("main form button.danger").await;
    visitor.check_page("ended").await;

    let device = Device::start_from(&visitor.server, &long_label(), "2001:db8:1234:5678:9abc:def0:1234:5678").await;
    visitor.enter_code(&device.user_code).await;
    visitor.check_page("approve-another-network").await;
    visitor.follow(CANCEL).await;
    visitor.check_page("denied").await;
    visitor.enter_code(&device.user_code).await;
    visitor.check_page("denied-again").await;
}

async fn rejection_pages(language: &str) {
    let Some(visitor) = visitor_in(language, &[("OPENAPI_RATE_LIMITS", "user_code=1/15m")]).await else { return };
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    assert_eq!(Browser::signed_in(&visitor.server, OWNER).await.deny(&device.user_code).await.0, 200);
    visitor.follow(CANCEL).await;
    visitor.check_page("already-decided").await;
    visitor.enter_code("WXYV-3456").await;
    visitor.check_page("unknown-code").await;
    visitor.enter_code("WXYV-3456").await;
    visitor.check_page("too-many-tries").await;
    visitor.visit("/device/done/otherwise").await;
    visitor.check_page("not-found").await;
    visitor.visit("/device/sessions/").await;
    visitor.check_page("no-such-address").await;
    visitor.visit("/device/sessions?page=nonsense").await;
    visitor.check_page("bad-request").await;
    visitor.visit("/device").await;
    visitor.run("document.querySelector('[name=csrf_token]').value = 'forged'", &[]).await;
    visitor.follow(".person button").await;
    visitor.check_page("forged").await;
    visitor.visit("/device").await;
    visitor.delete_cookie("access_token").await;
    visitor.follow(".person button").await;
    visitor.check_page("signed-out-meanwhile").await;
}

async fn session_pages(language: &str) {
    let Some(visitor) = visitor_in(language, &[("OPENAPI_RATE_LIMITS", "approve=0,device_code=0")]).await else {
        return;
    };
    visitor.visit("/signin?return=/device/sessions").await;
    visitor.sign_in_as(OWNER, PASSWORD).await;
    visitor.check_page("sessions-empty").await;
    let browser = Browser::signed_in(&visitor.server, OWNER).await;
    for label in ["laptop of Ada".to_owned(), long_label()] {
        let bearer = Bearer::sign_in_with(&visitor.server, &browser, &label).await;
        let request = bearer.request(reqwest::Method::GET, "/openapi/v1/account");
        let request = request.header("user-agent", "difyctl/1.18.0 (linux; x64; channel=stable)");
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    visitor.server.running().app.jobs().flush_last_used().await.unwrap();
    visitor.devtools("Emulation.setTimezoneOverride", serde_json::json!({"timezoneId": "Asia/Tokyo"})).await;
    visitor.visit("/device/sessions").await;
    visitor.check_page("sessions").await;
    visitor.follow(".browsers button").await;
    visitor.check_page("browser-signed-out").await;
    visitor.follow(".sessions a.plain").await;
    visitor.check_page("rename").await;
    visitor.run("document.querySelector('#name').type = 'hidden'", &[]).await;
    visitor.run("document.querySelector('#name').value = ''", &[]).await;
    visitor.follow(SUBMIT).await;
    visitor.check_page("rename-invalid").await;
    let browser = Browser::signed_in(&visitor.server, OWNER).await;
    let newest = Bearer::sign_in_with(&visitor.server, &browser, &long_label()).await;
    let list = format!("/device/sessions?current={}", newest.token_id);
    visitor.visit(&list).await;
    visitor.check_page("sessions-current").await;
    visitor.follow(".sessions li:has(.tag) a.danger").await;
    visitor.check_page("revoke-current").await;
    visitor.visit(&list).await;
    visitor.follow("main > .actions a[href*='revoke-others']").await;
    visitor.check_page("revoke-others").await;
    visitor.visit("/device/sessions").await;
    visitor.follow(".sessions a.danger").await;
    visitor.check_page("revoke-one").await;
    let question = visitor.path().await;
    visitor.follow("main button.danger").await;
    visitor.check_page("sessions-one-revoked").await;
    visitor.visit(&question).await;
    visitor.check_page("session-ended").await;

    for number in 0..40 {
        Bearer::sign_in_with(&visitor.server, &browser, &format!("device {number}")).await;
    }
    visitor.visit("/device/sessions?page=2").await;
    visitor.check_page("sessions-paging").await;
    visitor.follow("main > .actions a.danger").await;
    visitor.check_page("revoke-all").await;
    visitor.follow("main button.danger").await;
    visitor.check_page("sessions-all-revoked").await;
    visitor.follow(".person button").await;
    visitor.check_page("signed-out").await;
}

async fn pages_of_other_clients(language: &str) {
    let clients = [
        ("OPENAPI_KNOWN_CLIENT_IDS", "acme-cli,other,silent"),
        ("OPENAPI_CLIENT_COMMANDS", "acme-cli=acme login,other=other auth --from the terminal"),
    ];
    let Some(visitor) = visitor_in(language, &clients).await else { return };
    visitor.sign_in().await;
    let (acme, silent) = (
        Device::start_as(&visitor.server, "acme-cli", "build-box").await,
        Device::start_as(&visitor.server, "silent", "sensor").await,
    );
    visitor.enter_code(&silent.user_code).await;
    visitor.follow(CANCEL).await;
    visitor.check_page("denied-without-a-command").await;
    visitor.enter_code(&acme.user_code).await;
    visitor.server.advance(901);
    visitor.reload().await;
    visitor.check_page("expired").await;
    visitor.enter_code("WXYV-3456").await;
    visitor.check_page("unknown-code-of-many-clients").await;
    visitor.visit("/device/sessions").await;
    visitor.check_page("sessions-empty-of-many-clients").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn page_checks_find_violations() {
    let Some(visitor) = Visitor::start().await else { return };
    visitor.visit("/device").await;
    visitor.run("document.querySelector('label').remove()", &[]).await;
    let found = crate::support::axe::violations(&visitor).await;
    assert!(found.iter().any(|line| line.contains("#user_code")), "{found:?}");
    visitor.run("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">inline</p>')", &[]).await;
    let errors = visitor.browser_errors().await;
    assert!(errors.iter().any(|line| line.contains("Content Security Policy")), "{errors:?}");
}
