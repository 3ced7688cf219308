//! The sessions list and revocation.

use super::*;

const NO_LIMITS: (&str, &str) = ("OPENAPI_RATE_LIMITS", "approve=0,device_code=0");

/// Signs devices in, one second apart.
async fn sign_devices_in(visitor: &Visitor, labels: &[&str]) -> Vec<Bearer> {
    let browser = Browser::signed_in(&visitor.server, OWNER).await;
    let mut bearers = Vec::new();
    for label in labels {
        bearers.push(Bearer::sign_in_with(&visitor.server, &browser, label).await);
        visitor.server.advance(1);
    }
    bearers
}

/// Whether a token is accepted.
async fn is_live(bearer: &Bearer) -> bool {
    bearer.get("/openapi/v1/account").await.0 == 200
}

/// The labels in the list, in its order.
async fn shown_labels(visitor: &Visitor) -> Vec<String> {
    let script = "return [...document.querySelectorAll('.sessions h2')].map((title) => title.textContent)";
    let found = visitor.run(script, &[]).await;
    found.as_array().unwrap().iter().map(|label| label.as_str().unwrap().to_owned()).collect()
}

in_both_browsers! {
    session_is_revoked_after_confirmation,
    session_is_renamed,
    all_sessions_are_revoked_and_the_list_is_empty,
    current_session_is_marked_and_kept,
    link_marks_only_sessions_of_the_account,
    sessions_of_other_accounts_are_neither_shown_nor_revoked,
    list_shows_twenty_sessions_per_page with NO_LIMITS,
}

async fn session_is_revoked_after_confirmation(visitor: &Visitor) {
    visitor.sign_in().await;
    let bearers = sign_devices_in(visitor, &["old laptop", "new laptop"]).await;
    visitor.visit("/device/sessions").await;
    assert_eq!(shown_labels(visitor).await, ["new laptop", "old laptop"]);
    assert!(visitor.text_of(".sessions").await.contains(&bearers[1].token[..9]));
    visitor.follow(".sessions li:last-child a.danger").await;
    assert!(visitor.text_of("main").await.contains("old laptop"));
    visitor.follow("main a.button.plain").await;
    assert_eq!(visitor.path().await, "/device/sessions", "kept");
    assert!(is_live(&bearers[0]).await);

    visitor.follow(".sessions li:last-child a.danger").await;
    visitor.follow("main button.danger").await;
    assert_eq!(visitor.text_of("[role=status]").await, "The session has been revoked.");
    assert_eq!(shown_labels(visitor).await, ["new laptop"]);
    assert_eq!((is_live(&bearers[0]).await, is_live(&bearers[1]).await), (false, true));

    visitor.back().await;
    if visitor.count("main button.danger").await == 1 {
        // A browser may restore the page from its cache; submitting it again must revoke nothing.
        visitor.follow("main button.danger").await;
    }
    assert_eq!(visitor.text_of("h1").await, "This session has ended");
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

async fn session_is_renamed(visitor: &Visitor) {
    visitor.sign_in().await;
    let bearers = sign_devices_in(visitor, &["build-box", "laptop"]).await;
    visitor.visit("/device/sessions").await;
    visitor.follow(".sessions li:last-child a.plain").await;
    assert_eq!(visitor.field_value("#name").await, "build-box");
    let form = visitor.path().await;
    // What the browser would not send.
    visitor.run("document.querySelector('#name').type = 'hidden'", &[]).await;
    for hostile in ["", "line\nbreak", "turned \u{202e}round", "\u{200b}", &"x".repeat(256)] {
        visitor.run("document.querySelector('#name').value = arguments[0]", &[hostile.into()]).await;
        visitor.run("document.querySelector('#name').removeAttribute('data-keep')", &[]).await;
        visitor.follow(SUBMIT).await;
        assert!(visitor.text_of("[role=alert]").await.starts_with("A name has"), "{hostile:?}");
        assert_eq!(visitor.path().await, format!("{form}?notice=invalid_name"));
        visitor.run("document.querySelector('#name').type = 'hidden'", &[]).await;
    }
    visitor.visit(&form).await;
    visitor.run("document.querySelector('#name').value = ''", &[]).await;
    visitor.type_into("#name", "  Ada's <b>build</b> machine ").await;
    visitor.follow(SUBMIT).await;
    assert_eq!(visitor.text_of("[role=status]").await, "The session has a new name.");
    assert_eq!(shown_labels(visitor).await, ["laptop", "Ada's <b>build</b> machine"]);
    let listed = bearers[1].get("/openapi/v1/account/sessions").await.1;
    assert!(listed.to_string().contains("Ada's <b>build</b> machine"), "{listed}");
    assert!(is_live(&bearers[0]).await);
    // A new sign-in of the device replaces its session, and keeps the name.
    sign_devices_in(visitor, &["build-box"]).await;
    visitor.visit("/device/sessions").await;
    assert_eq!(shown_labels(visitor).await, ["Ada's <b>build</b> machine", "laptop"]);
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

async fn all_sessions_are_revoked_and_the_list_is_empty(visitor: &Visitor) {
    visitor.sign_in().await;
    let bearers = sign_devices_in(visitor, &["one", "two"]).await;
    visitor.visit("/device/sessions").await;
    visitor.follow("main > .actions a.danger").await;
    visitor.follow("main button.danger").await;
    assert_eq!(
        visitor.text_of("[role=status]").await,
        "All other sessions have been revoked. This browser stays signed in."
    );
    assert!(visitor.text_of(".empty").await.contains(&visitor.login_command()));
    assert!(!is_live(&bearers[0]).await && !is_live(&bearers[1]).await);
    assert!(visitor.text_of(".person").await.contains(OWNER), "this browser stays signed in");
}

async fn current_session_is_marked_and_kept(visitor: &Visitor) {
    let bearers = sign_devices_in(visitor, &["one", "two", "three"]).await;
    // The link that a client opens, in a browser without a session.
    let list = format!("/device/sessions?current={}", bearers[1].token_id);
    visitor.visit(&list).await;
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.path().await, list, "sign-in keeps the link");
    assert_eq!(shown_labels(visitor).await, ["three", "two this device", "one"]);
    assert_eq!(visitor.count("footer a[aria-current=page]").await, 1);
    visitor.switch_language("zh").await;
    assert_eq!(shown_labels(visitor).await, ["three", "two 此设备", "one"]);
    visitor.switch_language("en").await;

    visitor.follow(".sessions li:nth-child(2) a.danger").await;
    assert!(visitor.text_of("[role=note]").await.contains("came here from this device"));
    visitor.follow("main a.button.plain").await;
    assert_eq!(visitor.path().await, list, "kept");
    visitor.follow(".sessions li:nth-child(1) a.danger").await;
    assert_eq!(visitor.count("[role=note]").await, 0, "another session needs no warning");
    visitor.follow("main button.danger").await;
    assert_eq!(shown_labels(visitor).await, ["two this device", "one"], "still marked");
    visitor.follow("main > .actions a[href*='revoke-others']").await;
    assert!(visitor.text_of("main").await.contains("two"));
    visitor.follow("main button.danger").await;
    assert_eq!(shown_labels(visitor).await, ["two this device"]);
    assert_eq!(
        (is_live(&bearers[0]).await, is_live(&bearers[1]).await, is_live(&bearers[2]).await),
        (false, true, false)
    );

    visitor.follow("main > .actions a.danger").await;
    assert!(visitor.text_of("[role=note]").await.contains("signed out too"));
    visitor.follow("main button.danger").await;
    assert!(!is_live(&bearers[1]).await);
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

async fn link_marks_only_sessions_of_the_account(visitor: &Visitor) {
    let others = Bearer::sign_in(&visitor.server, MEMBER, "of the member").await;
    let own = sign_devices_in(visitor, &["mine", "mine, too"]).await;
    visitor.sign_in().await;
    for named in [others.token_id.as_str(), "00000000-0000-0000-0000-000000000000", "<b>", ""] {
        visitor.visit(&format!("/device/sessions?current={named}")).await;
        assert_eq!(shown_labels(visitor).await, ["mine, too", "mine"], "{named}");
        assert_eq!(visitor.count("main > .actions a").await, 1, "{named}");
    }
    assert!(is_live(&others).await && is_live(&own[0]).await);
}

async fn sessions_of_other_accounts_are_neither_shown_nor_revoked(visitor: &Visitor) {
    let bearer = Bearer::sign_in(&visitor.server, OWNER, "laptop").await;
    visitor.visit("/signin?return=/device/sessions").await;
    visitor.sign_in_as(MEMBER, PASSWORD).await;
    assert_eq!(shown_labels(visitor).await, Vec::<String>::new());
    visitor.visit(&format!("/device/sessions/{}/revoke", bearer.token_id)).await;
    assert_eq!(visitor.text_of("h1").await, "This session has ended");
    assert!(is_live(&bearer).await);
}

async fn list_shows_twenty_sessions_per_page(visitor: &Visitor) {
    visitor.sign_in().await;
    let names: Vec<String> = (1..=41).map(|number| format!("device {number:02}")).collect();
    sign_devices_in(visitor, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    visitor.visit("/device/sessions").await;
    let first = shown_labels(visitor).await;
    assert_eq!((first.len(), first[0].as_str(), first[19].as_str()), (20, "device 41", "device 22"));
    assert_eq!(visitor.count(".paging a").await, 1, "the first page has no link to newer sessions");
    visitor.follow(".paging a[rel=next]").await;
    visitor.follow(".paging a[rel=next]").await;
    assert_eq!(
        (visitor.path().await.as_str(), shown_labels(visitor).await),
        ("/device/sessions?page=3", vec!["device 01".to_owned()])
    );
    assert!(visitor.text_of(".paging").await.contains("3 / 3"));

    visitor.follow(".sessions a.danger").await;
    visitor.switch_language("zh").await;
    visitor.switch_language("en").await;
    visitor.follow("main a.button.plain").await;
    assert_eq!(visitor.path().await, "/device/sessions?page=3", "cancel leads back to the page of the list");
    visitor.follow(".sessions a.danger").await;
    visitor.follow("main button.danger").await;
    assert_eq!(visitor.path().await, "/device/sessions?page=2&notice=revoked", "the last page");
    assert_eq!(visitor.text_of("[role=status]").await, "The session has been revoked.");
    visitor.follow(".sessions li:nth-child(3) a.danger").await;
    visitor.follow("main button.danger").await;
    assert_eq!(visitor.path().await, "/device/sessions?page=2&notice=revoked");
    assert_eq!(shown_labels(visitor).await.len(), 19);
    visitor.follow(".paging a[rel=prev]").await;
    assert_eq!(shown_labels(visitor).await, first);
    visitor.visit("/device/sessions?page=nonsense").await;
    assert_eq!(visitor.text_of("h1").await, "That did not work");
}
