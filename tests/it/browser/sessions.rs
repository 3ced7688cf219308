//! Looking after sessions.

use super::*;

const MANY: (&str, &str) = ("OPENAPI_RATE_LIMITS", "approve=0,device_code=0");

/// Signs devices in, oldest first.
async fn devices(visitor: &Visitor, labels: &[&str]) -> Vec<Bearer> {
    let browser = Browser::signed_in(&visitor.server, OWNER).await;
    let mut bearers = Vec::new();
    for label in labels {
        bearers.push(Bearer::sign_in_with(&visitor.server, &browser, label).await);
        visitor.server.advance(1);
    }
    bearers
}

/// Whether a bearer is still let in.
async fn alive(bearer: &Bearer) -> bool {
    bearer.get("/openapi/v1/account").await.0 == 200
}

/// The labels shown, from the top.
async fn labels(visitor: &Visitor) -> Vec<String> {
    let script = "return [...document.querySelectorAll('.sessions h2')].map((title) => title.textContent)";
    let found = visitor.run(script, &[]).await;
    found.as_array().unwrap().iter().map(|label| label.as_str().unwrap().to_owned()).collect()
}

in_both_browsers! {
    async fn one_session_is_revoked_after_being_asked(visitor: &Visitor) {
        visitor.sign_in().await;
        let bearers = devices(visitor, &["old laptop", "new laptop"]).await;
        visitor.visit("/device/sessions").await;
        assert_eq!(labels(visitor).await, ["new laptop", "old laptop"]);
        assert!(visitor.text_of(".sessions").await.contains(&bearers[1].token[..9]));
        visitor.follow(".sessions li:last-child a.danger").await;
        assert!(visitor.text_of("main").await.contains("old laptop"));
        visitor.follow("main a.button.plain").await;
        assert_eq!(visitor.path().await, "/device/sessions", "kept");
        assert!(alive(&bearers[0]).await);

        visitor.follow(".sessions li:last-child a.danger").await;
        visitor.follow("main button.danger").await;
        assert_eq!(visitor.text_of("[role=status]").await, "The session has been revoked.");
        assert_eq!(labels(visitor).await, ["new laptop"]);
        assert_eq!((alive(&bearers[0]).await, alive(&bearers[1]).await), (false, true));

        visitor.back().await;
        if visitor.count("main button.danger").await == 1 {
            // Some browsers show the question as it was left; saying yes again must be harmless.
            visitor.follow("main button.danger").await;
        }
        assert_eq!(visitor.text_of("h1").await, "This session has ended");
        assert_eq!(visitor.complaints().await, Vec::<String>::new());
    }

    async fn all_others_are_revoked_but_one(visitor: &Visitor) {
        visitor.sign_in().await;
        let bearers = devices(visitor, &["one", "two", "three"]).await;
        visitor.visit("/device/sessions").await;
        visitor.follow(".sessions li:nth-child(2) a.plain").await;
        assert_eq!(visitor.text_of("h1").await, "Revoke all other sessions?");
        assert!(visitor.text_of("main").await.contains("two"));
        visitor.follow("main button.danger").await;
        assert_eq!(visitor.text_of("[role=status]").await, "All other sessions have been revoked.");
        assert_eq!(labels(visitor).await, ["two"]);
        assert_eq!((alive(&bearers[0]).await, alive(&bearers[1]).await, alive(&bearers[2]).await), (false, true, false));
        assert_eq!(visitor.count(".sessions a.plain").await, 0, "there are no others any more");
    }

    async fn all_are_revoked_and_the_list_is_empty(visitor: &Visitor) {
        visitor.sign_in().await;
        let bearers = devices(visitor, &["one", "two"]).await;
        visitor.visit("/device/sessions").await;
        visitor.follow("main > .actions a.danger").await;
        visitor.follow("main button.danger").await;
        assert_eq!(visitor.text_of("[role=status]").await, "All sessions have been revoked.");
        assert!(visitor.text_of(".empty").await.contains(&visitor.login_command()));
        assert!(!alive(&bearers[0]).await && !alive(&bearers[1]).await);
        assert!(visitor.text_of(".person").await.contains(OWNER), "this browser stays signed in");
    }

    async fn the_session_that_a_person_came_from_is_marked_and_kept(visitor: &Visitor) {
        let bearers = devices(visitor, &["one", "two", "three"]).await;
        // As a client opens it for a user whom this browser does not know yet.
        let list = format!("/device/sessions?current={}", bearers[1].token_id);
        visitor.visit(&list).await;
        visitor.sign_in_as(OWNER, PASSWORD).await;
        assert_eq!(visitor.path().await, list, "signing in does not lose it");
        assert_eq!(labels(visitor).await, ["three", "two this device", "one"]);
        assert_eq!(visitor.count("footer a[aria-current=page]").await, 1);
        visitor.switch_language().await;
        assert_eq!(labels(visitor).await, ["three", "two 此设备", "one"]);
        visitor.switch_language().await;

        visitor.follow(".sessions li:nth-child(2) a.danger").await;
        assert!(visitor.text_of("[role=note]").await.contains("came here from this device"));
        visitor.follow("main a.button.plain").await;
        assert_eq!(visitor.path().await, list, "kept");
        visitor.follow(".sessions li:nth-child(1) a.danger").await;
        assert_eq!(visitor.count("[role=note]").await, 0, "another one needs no warning");
        visitor.follow("main button.danger").await;
        assert_eq!(labels(visitor).await, ["two this device", "one"], "still marked");
        visitor.follow("main > .actions a[href*='revoke-others']").await;
        assert!(visitor.text_of("main").await.contains("two"));
        visitor.follow("main button.danger").await;
        assert_eq!(labels(visitor).await, ["two this device"]);
        assert_eq!((alive(&bearers[0]).await, alive(&bearers[1]).await, alive(&bearers[2]).await), (false, true, false));

        visitor.follow("main > .actions a.danger").await;
        assert!(visitor.text_of("[role=note]").await.contains("signed out too"));
        visitor.follow("main button.danger").await;
        assert!(!alive(&bearers[1]).await);
        assert_eq!(visitor.complaints().await, Vec::<String>::new());
    }

    async fn a_link_can_mark_nothing_but_ones_own(visitor: &Visitor) {
        let others = Bearer::sign_in(&visitor.server, MEMBER, "of the member").await;
        let own = devices(visitor, &["mine", "mine, too"]).await;
        visitor.sign_in().await;
        for named in [others.token_id.as_str(), "00000000-0000-0000-0000-000000000000", "<b>", ""] {
            visitor.visit(&format!("/device/sessions?current={named}")).await;
            assert_eq!(labels(visitor).await, ["mine, too", "mine"], "{named}");
            assert_eq!(visitor.count("main > .actions a").await, 1, "{named}");
        }
        assert!(alive(&others).await && alive(&own[0]).await);
    }

    async fn nobody_sees_or_revokes_the_sessions_of_others(visitor: &Visitor) {
        let bearer = Bearer::sign_in(&visitor.server, OWNER, "laptop").await;
        visitor.visit("/signin?return=/device/sessions").await;
        visitor.sign_in_as(MEMBER, PASSWORD).await;
        assert_eq!(labels(visitor).await, Vec::<String>::new());
        visitor.visit(&format!("/device/sessions/{}/revoke", bearer.token_id)).await;
        assert_eq!(visitor.text_of("h1").await, "This session has ended");
        assert!(alive(&bearer).await);
    }

    with MANY;
    async fn twenty_sessions_make_a_page(visitor: &Visitor) {
        visitor.sign_in().await;
        let names: Vec<String> = (1..=41).map(|number| format!("device {number:02}")).collect();
        devices(visitor, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        visitor.visit("/device/sessions").await;
        let first = labels(visitor).await;
        assert_eq!((first.len(), first[0].as_str(), first[19].as_str()), (20, "device 41", "device 22"));
        assert_eq!(visitor.count(".paging a").await, 1, "there is nothing newer");
        visitor.follow(".paging a[rel=next]").await;
        visitor.follow(".paging a[rel=next]").await;
        assert_eq!((visitor.path().await.as_str(), labels(visitor).await), ("/device/sessions?page=3", vec!["device 01".to_owned()]));
        assert!(visitor.text_of(".paging").await.contains("3 / 3"));

        visitor.follow(".sessions a.danger").await;
        visitor.switch_language().await;
        visitor.switch_language().await;
        visitor.follow("main a.button.plain").await;
        assert_eq!(visitor.path().await, "/device/sessions?page=3", "kept, and back where it was");
        visitor.follow(".sessions a.danger").await;
        visitor.follow("main button.danger").await;
        assert_eq!(visitor.path().await, "/device/sessions?page=2&done=revoked", "the last page there is");
        assert_eq!(visitor.text_of("[role=status]").await, "The session has been revoked.");
        visitor.follow(".sessions li:nth-child(3) a.danger").await;
        visitor.follow("main button.danger").await;
        assert_eq!(visitor.path().await, "/device/sessions?page=2&done=revoked");
        assert_eq!(labels(visitor).await.len(), 19);
        visitor.follow(".paging a[rel=prev]").await;
        assert_eq!(labels(visitor).await, first);
        visitor.visit("/device/sessions?page=nonsense").await;
        assert_eq!(visitor.text_of("h1").await, "That did not work");
    }
}
