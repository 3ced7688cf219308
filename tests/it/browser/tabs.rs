//! Several tabs, the back button and reloading: each page decides its own code, once.

use super::*;

/// The number of sessions, without the one that counts.
async fn count_sessions(visitor: &Visitor) -> u64 {
    let bearer = Bearer::sign_in(&visitor.server, OWNER, "the counter").await;
    bearer.get("/openapi/v1/account/sessions").await.1["total"].as_u64().unwrap() - 1
}

in_both_browsers! {
    two_tabs_decide_two_codes_independently,
    two_tabs_return_from_sign_in_to_their_own_codes,
    code_in_two_tabs_is_decided_once,
    reload_and_back_repeat_no_decision,
    sign_in_in_a_second_tab_asks_again_for_another_account,
    address_of_a_rejected_form_can_be_opened_again,
    going_back_over_rejected_forms_submits_nothing,
    going_back_over_rejected_decisions_decides_nothing,
    address_of_a_rejected_sign_in_still_leads_to_the_code,
    page_of_a_signed_out_person_decides_nothing,
    page_of_another_account_decides_nothing,
}

async fn two_tabs_decide_two_codes_independently(visitor: &Visitor) {
    visitor.sign_in().await;
    let (first, second) = (visitor.device("first").await, visitor.device("second").await);
    visitor.enter_code(&first.user_code).await;
    let (one, two) = visitor.open_tab().await;
    visitor.enter_code(&second.user_code).await;

    visitor.switch_to_tab(&one).await;
    assert_eq!(visitor.text_of(".code strong").await, first.user_code);
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert!(visitor.path().await.ends_with("/done"));
    visitor.switch_to_tab(&two).await;
    assert_eq!(visitor.text_of(".code strong").await, second.user_code);
    visitor.follow(CANCEL).await;
    assert!(visitor.path().await.ends_with("/done"));
    assert!(first.poll().await.1["token"].is_string());
    assert_eq!(second.poll().await.1["error"], "access_denied");
}

async fn two_tabs_return_from_sign_in_to_their_own_codes(visitor: &Visitor) {
    let (first, second) = (visitor.device("first").await, visitor.device("second").await);
    visitor.enter_code(&first.user_code).await;
    let (one, two) = visitor.open_tab().await;
    visitor.enter_code(&second.user_code).await;
    assert!(visitor.path().await.starts_with("/signin"));

    visitor.switch_to_tab(&one).await;
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.text_of(".code strong").await, first.user_code);
    visitor.switch_to_tab(&two).await;
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.text_of(".code strong").await, second.user_code);
}

async fn code_in_two_tabs_is_decided_once(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    let (one, _) = visitor.open_tab().await;
    visitor.enter_code(&device.user_code).await;
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    visitor.switch_to_tab(&one).await;
    visitor.follow(CANCEL).await;
    assert_eq!(visitor.text_of("h1").await, "Already decided");
    assert!(device.poll().await.1["token"].is_string(), "the first decision stands");
}

async fn reload_and_back_repeat_no_decision(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    visitor.reload().await;
    assert_eq!(visitor.text_of(".code strong").await, device.user_code);
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    visitor.reload().await;
    assert_eq!(visitor.text_of("h1").await, "Device authorized");
    assert!(device.poll().await.1["token"].is_string());

    visitor.back().await;
    if visitor.count(AUTHORIZE).await == 1 {
        // A browser may restore the page from its cache; submitting it again must change nothing.
        visitor.run("document.querySelector('#mine').checked = true", &[]).await;
        visitor.follow(AUTHORIZE).await;
    }
    let title = visitor.text_of("h1").await;
    assert!(["Already decided", "Device authorized"].contains(&title.as_str()), "{title}");
    assert_eq!(count_sessions(visitor).await, 1);
}

async fn sign_in_in_a_second_tab_asks_again_for_another_account(visitor: &Visitor) {
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    let (one, two) = visitor.open_tab().await;
    visitor.enter_code(&device.user_code).await;
    visitor.switch_to_tab(&one).await;
    visitor.sign_in_as(OWNER, PASSWORD).await;
    visitor.switch_to_tab(&two).await;
    visitor.sign_in_as(MEMBER, PASSWORD).await;
    assert!(visitor.text_of("[role=alert]").await.contains("expired"), "the form is shown again");
    visitor.sign_in_as(MEMBER, PASSWORD).await;
    assert!(visitor.text_of(".person").await.contains(MEMBER));
    assert_eq!(visitor.text_of(".code strong").await, device.user_code);
}

async fn address_of_a_rejected_form_can_be_opened_again(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    let page = visitor.path().await;
    visitor.run("document.querySelector('#mine').removeAttribute('required')", &[]).await;
    visitor.follow(AUTHORIZE).await;
    assert_eq!(visitor.path().await, format!("{page}?notice=unticked"));
    visitor.reload().await;
    assert!(visitor.text_of("[role=alert]").await.starts_with("Tick the box"));
    // The address of the form, opened by GET.
    for form in ["approve", "deny"] {
        visitor.visit(&format!("{page}/{form}")).await;
        assert_eq!(visitor.path().await, page, "redirected to the page");
        assert_eq!(visitor.text_of(".code strong").await, device.user_code);
    }

    let browser = Browser::signed_in(&visitor.server, OWNER).await;
    assert_eq!(browser.deny(&device.user_code).await.0, 200);
    visitor.follow(CANCEL).await;
    for _ in 0..2 {
        assert_eq!(visitor.text_of("h1").await, "Already decided");
        assert_eq!(visitor.path().await, format!("{page}?notice=already_resolved"));
        visitor.reload().await;
    }
    visitor.visit(&page).await;
    assert_eq!(visitor.path().await, format!("{page}/done"));
    assert_eq!(visitor.text_of("h1").await, "Request denied");
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

async fn going_back_over_rejected_forms_submits_nothing(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code("ABCD-EFG0").await;
    visitor.run("document.querySelector('#user_code').value = ''", &[]).await;
    visitor.type_into("#user_code", &device.user_code).await;
    visitor.follow(SUBMIT).await;
    visitor.run("document.querySelector('#mine').removeAttribute('required')", &[]).await;
    visitor.follow(AUTHORIZE).await;
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert_eq!(visitor.text_of("h1").await, "Device authorized");
    // A browser may restore pages from its cache; no page is the response to a form.
    let decided = ["Device authorized", "Let this device in?"];
    for (titles, address) in [
        (&decided[..], "?notice=unticked"),
        (&decided[..], ""),
        (&["Connect a device"], "/device?notice=malformed"),
        (&["Connect a device"], "/device"),
    ] {
        visitor.back().await;
        let title = visitor.text_of("h1").await;
        assert!(titles.contains(&title.as_str()), "{address}: {title}");
        let path = visitor.path().await;
        assert!(path.ends_with(address) || path.ends_with("/done"), "{path}");
    }
    assert!(device.poll().await.1["token"].is_string());
}

async fn going_back_over_rejected_decisions_decides_nothing(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    assert_eq!(Browser::signed_in(&visitor.server, OWNER).await.deny(&device.user_code).await.0, 200);
    visitor.follow(CANCEL).await;
    visitor.follow("main a.button").await;
    assert_eq!(visitor.path().await, "/device/sessions");
    visitor.back().await;
    assert_eq!(visitor.text_of("h1").await, "Already decided");

    // The CSRF token of an earlier session.
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    visitor.run("document.querySelectorAll('[name=csrf_token]').forEach((field) => { field.value = 'x' })", &[]).await;
    visitor.follow(CANCEL).await;
    assert_eq!(visitor.text_of("h1").await, "Please try that again");
    visitor.follow("main a.button").await;
    assert_eq!(visitor.text_of(".code strong").await, device.user_code);
    visitor.back().await;
    assert_eq!(visitor.text_of("h1").await, "Please try that again");
    assert_eq!(device.poll().await.1["error"], "authorization_pending");
}

async fn address_of_a_rejected_sign_in_still_leads_to_the_code(visitor: &Visitor) {
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    visitor.sign_in_as(OWNER, "not the password").await;
    let left_at = visitor.path().await;
    visitor.visit(&left_at).await;
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.text_of(".code strong").await, device.user_code);
}

/// Opens the page of a device, and signs out in a second tab. Returns the device and the first tab.
async fn sign_out_beside_a_decision(visitor: &Visitor) -> (Device, String) {
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    let (one, _) = visitor.open_tab().await;
    visitor.visit("/device").await;
    visitor.follow(".person button").await;
    (device, one)
}

async fn page_of_a_signed_out_person_decides_nothing(visitor: &Visitor) {
    let (device, one) = sign_out_beside_a_decision(visitor).await;
    visitor.switch_to_tab(&one).await;
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert_eq!(visitor.text_of("h1").await, "You are signed out");
    assert_eq!(device.poll().await.1["error"], "authorization_pending");
    visitor.follow("main a.button").await;
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.text_of(".code strong").await, device.user_code);
}

async fn page_of_another_account_decides_nothing(visitor: &Visitor) {
    let (device, one) = sign_out_beside_a_decision(visitor).await;
    visitor.sign_in_as(MEMBER, PASSWORD).await;

    visitor.switch_to_tab(&one).await;
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert_eq!(visitor.text_of("h1").await, "Please try that again");
    assert_eq!(device.poll().await.1["error"], "authorization_pending");
    visitor.follow("main a.button").await;
    assert!(visitor.text_of("main").await.contains(MEMBER), "the page names the account");
}
