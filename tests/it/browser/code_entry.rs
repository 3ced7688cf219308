//! The form for a user code.

use super::*;

/// A well-formed code that no device has.
const UNKNOWN: &str = "WXYV-3456";
const NO_PREFILLED_LINKS: (&str, &str) = ("DEVICE_FLOW_VERIFICATION_URI_COMPLETE", "false");
const TWO_WRONG_CODES: (&str, &str) = ("OPENAPI_RATE_LIMITS", "user_code=2/15m");

in_both_browsers! {
    malformed_code_is_explained_and_can_be_corrected,
    malformed_code_in_a_link_is_explained_and_not_kept_in_the_history,
    trailing_slash_leads_to_the_same_page,
    unknown_code_shows_the_login_command,
    empty_code_field_is_not_submitted,
    manipulated_address_shows_no_device,
    wrong_codes_over_the_limit_block_valid_codes with TWO_WRONG_CODES,
    link_from_another_site_leaves_the_last_two_characters_to_the_person,
    link_is_ignored_where_prefilled_links_are_off with NO_PREFILLED_LINKS,
}

async fn malformed_code_is_explained_and_can_be_corrected(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code("ABCD-EFG0").await;
    let words = visitor.text_of("[role=alert]").await;
    assert!(words.starts_with("That is not a valid code.") && words.contains("never contains 0"), "{words}");
    assert!(!visitor.address().await.contains("EFG0"), "{}", visitor.address().await);
    assert_eq!(visitor.count("#user_code[aria-invalid=true][aria-describedby~=problem]").await, 1);

    visitor.run("document.querySelector('#user_code').value = ''", &[]).await;
    visitor.type_into("#user_code", &device.user_code).await;
    visitor.follow(SUBMIT).await;
    assert_eq!(visitor.text_of(".code strong").await, device.user_code);
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

async fn malformed_code_in_a_link_is_explained_and_not_kept_in_the_history(visitor: &Visitor) {
    visitor.visit("/device?user_code=ABCD-EFG0").await;
    assert!(!visitor.address().await.contains("EFG0"), "{}", visitor.address().await);
    assert!(visitor.text_of("[role=alert]").await.starts_with("That is not a valid code."));
    assert_eq!(visitor.field_value("#user_code").await, "");
    let history = visitor.devtools("Page.getNavigationHistory", serde_json::json!({})).await;
    let has_code = |entry: &serde_json::Value| entry["url"].as_str().unwrap().contains("EFG0");
    assert!(!history["entries"].as_array().unwrap().iter().any(has_code), "{history}");
}

async fn trailing_slash_leads_to_the_same_page(visitor: &Visitor) {
    visitor.visit("/device/").await;
    assert_eq!(visitor.path().await, "/device");
    let device = visitor.device("laptop").await;
    visitor.visit(&format!("/device/?user_code={}", device.user_code)).await;
    assert_eq!(visitor.field_value("#user_code").await, device.user_code);
    visitor.follow(SUBMIT).await;
    assert!(visitor.path().await.starts_with("/signin?return=/device/"), "{}", visitor.path().await);
    let history = visitor.devtools("Page.getNavigationHistory", serde_json::json!({})).await;
    let has_code = |entry: &serde_json::Value| entry["url"].as_str().unwrap().contains(&device.user_code);
    assert!(!history["entries"].as_array().unwrap().iter().any(has_code), "{history}");
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.text_of(".code strong").await, device.user_code);
}

async fn unknown_code_shows_the_login_command(visitor: &Visitor) {
    visitor.sign_in().await;
    visitor.enter_code(UNKNOWN).await;
    assert_eq!(visitor.text_of("h1").await, "This code does not work");
    assert_eq!(visitor.text_of("pre").await, visitor.login_command());
}

async fn empty_code_field_is_not_submitted(visitor: &Visitor) {
    visitor.visit("/device").await;
    assert_eq!(visitor.run("return document.activeElement.id", &[]).await, "user_code", "the field has the focus");
    visitor.click(SUBMIT).await;
    assert_eq!(visitor.count("[role=alert]").await, 0);
}

async fn manipulated_address_shows_no_device(visitor: &Visitor) {
    visitor.sign_in().await;
    for (path, title) in [
        (format!("/device/{}", "A".repeat(64)), "This code is no longer valid"),
        ("/device/sessionz".to_owned(), "Page not found"),
        ("/device//".to_owned(), "Page not found"),
        ("/device/sessions/".to_owned(), "Page not found"),
        (format!("/device/{}/whatever", "A".repeat(64)), "Page not found"),
        ("/signin/elsewhere".to_owned(), "Page not found"),
    ] {
        visitor.visit(&path).await;
        assert_eq!(visitor.text_of("h1").await, title, "{path}");
    }
    visitor.switch_language("zh").await;
    assert_eq!(visitor.text_of("h1").await, "页面不存在");
    visitor.follow("main a.button").await;
    assert_eq!(visitor.path().await, "/device");
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

async fn wrong_codes_over_the_limit_block_valid_codes(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(UNKNOWN).await;
    visitor.enter_code(UNKNOWN).await;
    visitor.enter_code(&device.user_code).await;
    assert_eq!(visitor.text_of("h1").await, "Too many attempts");
    assert!(visitor.page_text().await.contains("Try again in about"));
    visitor.server.advance(460);
    visitor.follow("main a.button").await;
    assert_eq!(visitor.field_value("#user_code").await, device.user_code, "the link keeps the code");
    visitor.follow(SUBMIT).await;
    assert_eq!(visitor.text_of(".code strong").await, device.user_code);
}

async fn link_from_another_site_leaves_the_last_two_characters_to_the_person(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    let (start, end) = device.user_code.split_at(7);
    // `localhost` and `127.0.0.1` are different sites.
    let link = visitor.server.at(&format!("/device?user_code={}", device.user_code));
    visitor.open(&visitor.server.at("/device").replace("127.0.0.1", "localhost")).await;
    visitor.run("location.href = arguments[0]", &[link.into()]).await;
    visitor.wait_for(&format!("#user_code[value='{start}']")).await;
    assert!(visitor.text_of("#explained").await.contains("type its last two characters"));
    visitor.reload().await;
    assert_eq!(visitor.field_value("#user_code").await, start, "after a reload, too");
    visitor.type_into("#user_code", end).await;
    visitor.follow(SUBMIT).await;
    assert_eq!(visitor.text_of(".code strong").await, device.user_code);
    assert_eq!(visitor.browser_errors().await, Vec::<String>::new());
}

async fn link_is_ignored_where_prefilled_links_are_off(visitor: &Visitor) {
    let device = visitor.device("laptop").await;
    visitor.visit(&format!("/device?user_code={}", device.user_code)).await;
    assert_eq!((visitor.path().await.as_str(), visitor.field_value("#user_code").await.as_str()), ("/device", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_code_is_formatted_with_capitals_and_hyphen() {
    let Some(visitor) = Visitor::start().await else { return };
    visitor.visit("/device").await;
    visitor.type_into("#user_code", "abcd").await;
    assert_eq!(visitor.field_value("#user_code").await, "ABCD-");
    visitor.type_into("#user_code", "-ef").await;
    assert_eq!(visitor.field_value("#user_code").await, "ABCD-EF", "a typed hyphen is not doubled");
    // Four backspaces.
    visitor.type_into("#user_code", "\u{E003}\u{E003}\u{E003}\u{E003}").await;
    assert_eq!(visitor.field_value("#user_code").await, "ABC");
    visitor.type_into("#user_code", "d efgh").await;
    assert_eq!(visitor.field_value("#user_code").await, "ABCD-EFGH");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_code_is_kept_and_selected() {
    let Some(visitor) = Visitor::start().await else { return };
    visitor.visit("/device").await;
    visitor.type_into("#user_code", "ABCD-EFG0").await;
    visitor.follow(SUBMIT).await;
    assert_eq!(visitor.field_value("#user_code").await, "ABCD-EFG0");
    visitor.wait_for("#user_code:focus").await;
    visitor.wait_until("return document.activeElement.selectionEnd === 9").await;
    visitor.type_keys("wdjpjhtn").await;
    assert_eq!(visitor.field_value("#user_code").await, "WDJP-JHTN");
    visitor.visit("/device").await;
    assert_eq!(visitor.field_value("#user_code").await, "", "only the next page has the text");
}

#[tokio::test(flavor = "multi_thread")]
async fn full_width_letters_are_converted() {
    let Some(visitor) = Visitor::start().await else { return };
    for typed in ["ＷＤＪＰ－ＪＨＴＮ", "ｗｄｊｐｊｈｔｎ"] {
        visitor.visit("/device").await;
        visitor.type_into("#user_code", typed).await;
        assert_eq!(visitor.field_value("#user_code").await, "WDJP-JHTN", "{typed}");
        visitor.visit("/device").await;
        visitor.click("#user_code").await;
        visitor.paste(typed).await;
        assert_eq!(visitor.field_value("#user_code").await, "WDJP-JHTN", "{typed} pasted");
        visitor.visit("/device").await;
        visitor.click("#user_code").await;
        visitor.type_composed(typed).await;
        assert_eq!(visitor.field_value("#user_code").await, "WDJP-JHTN", "{typed} by an input method");
    }
    visitor.visit("/device").await;
    visitor.type_into("#user_code", "АВСD-EFGH").await;
    assert_eq!(visitor.field_value("#user_code").await, "АВСD-EFGH", "letters outside the alphabet stay visible");
    visitor.follow(SUBMIT).await;
    assert!(visitor.text_of("[role=alert]").await.starts_with("That is not a valid code."));
}

#[tokio::test(flavor = "multi_thread")]
async fn code_is_extracted_from_pasted_text() {
    let Some(visitor) = Visitor::start().await else { return };
    for (pasted, code) in [
        ("abcdefgh", "ABCD-EFGH"),
        (" ABCD EFGH\n", "ABCD-EFGH"),
        ("Enter the code ABCD-EFGH in your browser", "ABCD-EFGH"),
        ("http://127.0.0.1:5001/device?user_code=ABCD-EFGH", "ABCD-EFGH"),
    ] {
        visitor.visit("/device").await;
        visitor.click("#user_code").await;
        visitor.paste(pasted).await;
        assert_eq!(visitor.field_value("#user_code").await, code, "{pasted:?}");
    }
}
