//! How every state looks, in both languages, both colour schemes, wide and narrow: pictures are left in the test output,
//! axe-core finds nothing, nothing is cut off, and the browser has nothing to complain about.

use super::*;

/// For each language a test of its own, so that they run side by side.
macro_rules! in_both_languages {
    ($($(with $variable:expr;)? async fn $name:ident($visitor:ident: &Visitor) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn test(language: &str) {
                async fn walk($visitor: &Visitor) $body

                let variables: &[(&str, &str)] = &[$($variable)?];
                let Some(visitor) = Visitor::arrive_with(variables).await else { return };
                visitor.visit(&format!("/device?lang={language}")).await;
                walk(&visitor).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn in_english() {
                test("en").await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn in_chinese() {
                test("zh").await;
            }
        }
    )*};
}

mod troubles;

/// As long as labels get, and without a place to break.
fn long_label() -> String {
    "a-device-with-a-very-long-name-".repeat(8)
}

in_both_languages! {
    async fn signing_in(visitor: &Visitor) {
        visitor.visit("/signin").await;
        visitor.check("sign-in").await;
        visitor.sign_in_as(OWNER, "not the password").await;
        visitor.check("sign-in-wrong").await;
        for _ in 0..5 {
            visitor.sign_in_as(OWNER, "not the password").await;
        }
        visitor.check("sign-in-locked").await;
        let device = visitor.device("laptop").await;
        visitor.enter_code(&device.user_code).await;
        visitor.check("sign-in-for-device").await;
        visitor.forget("signin_token").await;
        visitor.sign_in_as(MEMBER, PASSWORD).await;
        visitor.check("sign-in-stale").await;
    }

    with ("TRUSTED_PROXIES", "127.0.0.1/32");
    async fn deciding(visitor: &Visitor) {
        visitor.visit("/device").await;
        visitor.check("enter-code").await;
        visitor.enter_code("ABCD-EFG0").await;
        visitor.check("enter-code-typo").await;
        visitor.sign_in().await;
        visitor.check("enter-code-signed-in").await;

        let device = visitor.device("laptop of Ada").await;
        visitor.enter_code(&device.user_code).await;
        visitor.check("approve").await;
        visitor.click("#mine").await;
        visitor.check("approve-ticked").await;
        visitor.click("#mine").await;
        visitor.run("document.querySelector('#mine').removeAttribute('required')", &[]).await;
        visitor.follow(AUTHORIZE).await;
        visitor.check("approve-without-tick").await;
        visitor.click("#mine").await;
        visitor.follow(AUTHORIZE).await;
        visitor.check("approved").await;

        let device = Device::start_from(&visitor.server, &long_label(), "2001:db8:1234:5678:9abc:def0:1234:5678").await;
        visitor.enter_code(&device.user_code).await;
        visitor.check("approve-another-network").await;
        visitor.follow(CANCEL).await;
        visitor.check("denied").await;
    }

    with ("OPENAPI_RATE_LIMITS", "user_code=1/15m");
    async fn refusals(visitor: &Visitor) {
        visitor.sign_in().await;
        let device = visitor.device("laptop").await;
        visitor.enter_code(&device.user_code).await;
        assert_eq!(Browser::signed_in(&visitor.server, OWNER).await.deny(&device.user_code).await.0, 200);
        visitor.follow(CANCEL).await;
        visitor.check("already-decided").await;
        visitor.enter_code(&device.user_code).await;
        visitor.check("expired").await;
        visitor.enter_code("WXYV-3456").await;
        visitor.check("too-many-tries").await;
        visitor.visit("/device/done/otherwise").await;
        visitor.check("not-found").await;
        visitor.visit("/device/sessions/").await;
        visitor.check("no-such-address").await;
        visitor.visit("/device/sessions?page=nonsense").await;
        visitor.check("bad-request").await;
        visitor.visit("/device").await;
        visitor.run("document.querySelector('[name=csrf_token]').value = 'forged'", &[]).await;
        visitor.follow(".person button").await;
        visitor.check("forged").await;
        visitor.visit("/device").await;
        visitor.forget("access_token").await;
        visitor.follow(".person button").await;
        visitor.check("signed-out-meanwhile").await;
    }

    with ("OPENAPI_RATE_LIMITS", "approve=0,device_code=0");
    async fn looking_after_sessions(visitor: &Visitor) {
        visitor.visit("/signin?return=/device/sessions").await;
        visitor.sign_in_as(OWNER, PASSWORD).await;
        visitor.check("sessions-empty").await;
        let browser = Browser::signed_in(&visitor.server, OWNER).await;
        for label in ["laptop of Ada".to_owned(), long_label()] {
            let bearer = Bearer::sign_in_with(&visitor.server, &browser, &label).await;
            assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
        }
        visitor.visit("/device/sessions").await;
        visitor.check("sessions").await;
        let newest = Bearer::sign_in_with(&visitor.server, &browser, &long_label()).await;
        let list = format!("/device/sessions?current={}", newest.token_id);
        visitor.visit(&list).await;
        visitor.check("sessions-current").await;
        visitor.follow(".sessions li:has(.tag) a.danger").await;
        visitor.check("revoke-current").await;
        visitor.visit(&list).await;
        visitor.follow(".sessions a.plain").await;
        visitor.check("revoke-others").await;
        visitor.visit("/device/sessions").await;
        visitor.follow(".sessions a.danger").await;
        visitor.check("revoke-one").await;
        let question = visitor.path().await;
        visitor.follow("main button.danger").await;
        visitor.check("sessions-one-revoked").await;
        visitor.visit(&question).await;
        visitor.check("session-ended").await;

        for number in 0..40 {
            Bearer::sign_in_with(&visitor.server, &browser, &format!("device {number}")).await;
        }
        visitor.visit("/device/sessions?page=2").await;
        visitor.check("sessions-paging").await;
        visitor.follow("main > .actions a.danger").await;
        visitor.check("revoke-all").await;
        visitor.follow("main button.danger").await;
        visitor.check("sessions-all-revoked").await;
        visitor.follow(".person button").await;
        visitor.check("signed-out").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checks_find_what_is_wrong() {
    let Some(visitor) = Visitor::arrive().await else { return };
    visitor.visit("/device").await;
    visitor.run("document.querySelector('label').remove()", &[]).await;
    let found = crate::support::axe::findings(&visitor).await;
    assert!(found.iter().any(|line| line.contains("#user_code")), "{found:?}");
    visitor.run("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">inline</p>')", &[]).await;
    let complaints = visitor.complaints().await;
    assert!(complaints.iter().any(|line| line.contains("Content Security Policy")), "{complaints:?}");
}
