//! The list of the browsers that are signed in.

use super::*;

/// The names in the list, in its order.
async fn shown_browsers(visitor: &Visitor) -> Vec<String> {
    let script = "return [...document.querySelectorAll('.browsers h3')].map((title) => title.textContent)";
    let found = visitor.run(script, &[]).await;
    found.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

in_both_browsers! {
    other_browsers_are_listed_and_signed_out,
    everything_but_this_browser_is_revoked,
    browsers_are_counted_beyond_the_list,
}

async fn other_browsers_are_listed_and_signed_out(visitor: &Visitor) {
    let first = Browser::signed_in(&visitor.server, OWNER).await;
    let of_member = Browser::signed_in(&visitor.server, MEMBER).await;
    visitor.server.advance(1);
    visitor.sign_in().await;
    visitor.visit("/device/sessions").await;
    let shown = shown_browsers(visitor).await;
    assert!(shown.len() == 2 && shown[0].starts_with("Chrome · ") && shown[0].ends_with(" this browser"), "{shown:?}");
    assert_eq!(shown[1], "Unknown browser");
    assert!(visitor.text_of(".browsers li:last-child").await.contains("from 127.0.0.1"));
    assert_eq!(visitor.count(".browsers form").await, 1, "this browser has the button of the header");
    visitor.follow(".browsers li:last-child button").await;
    assert_eq!(visitor.text_of("[role=status]").await, "The browser has been signed out.");
    assert_eq!(shown_browsers(visitor).await.len(), 1);
    assert!(!first.is_signed_in().await && of_member.is_signed_in().await);
    visitor.reload().await;
    assert_eq!(shown_browsers(visitor).await.len(), 1);
    assert_eq!(visitor.count("main > .actions").await, 0, "there is nothing to revoke");
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

async fn everything_but_this_browser_is_revoked(visitor: &Visitor) {
    let other = Browser::signed_in(&visitor.server, OWNER).await;
    let device = Device::start_as(&visitor.server, "difyctl", "laptop").await;
    assert_eq!(other.approve(&device.user_code).await.0, 200);
    let token = device.poll().await.1;
    let bearer =
        Bearer::with_token(&visitor.server, token["token"].as_str().unwrap(), token["token_id"].as_str().unwrap());
    visitor.sign_in().await;
    visitor.visit("/device/sessions").await;
    assert!(visitor.text_of(".sessions").await.contains("difyctl 2.0 · Linux"));
    visitor.follow("main > .actions a.danger").await;
    assert_eq!(visitor.text_of("h1").await, "Revoke everything but this browser?");
    visitor.follow("main button.danger").await;
    let done = visitor.text_of("[role=status]").await;
    assert!(done.starts_with("All other sessions have been revoked."), "{done}");
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 401);
    assert!(!other.is_signed_in().await);
    assert_eq!(shown_browsers(visitor).await.len(), 1);
    assert!(visitor.text_of(".person").await.contains(OWNER), "this browser stays signed in");
}

async fn browsers_are_counted_beyond_the_list(visitor: &Visitor) {
    for _ in 0..21 {
        Browser::signed_in(&visitor.server, OWNER).await;
    }
    visitor.sign_in().await;
    visitor.visit("/device/sessions").await;
    assert_eq!(shown_browsers(visitor).await.len(), 20);
    assert!(visitor.text_of(".browsers").await.contains("Older sign-ins that are not listed: 2"));
    visitor.follow("main > .actions a.danger").await;
    visitor.follow("main button.danger").await;
    assert_eq!(shown_browsers(visitor).await.len(), 1);
}
