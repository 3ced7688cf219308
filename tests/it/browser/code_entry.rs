//! Entering a code.

use super::*;

/// Shaped like a code, and given out by chance once in 500 billion.
const UNKNOWN: &str = "WXYV-3456";
const FEW_WRONG_CODES: (&str, &str) = ("OPENAPI_RATE_LIMITS", "user_code=2/15m");

in_both_browsers! {
    async fn a_typo_is_explained_and_can_be_put_right(visitor: &Visitor) {
        visitor.sign_in().await;
        let device = visitor.device("laptop").await;
        visitor.enter_code("ABCD-EFG0").await;
        let words = visitor.text_of("[role=alert]").await;
        assert!(words.starts_with("That is not a valid code.") && words.contains("never contains 0"), "{words}");
        assert!(!visitor.address().await.contains("EFG0"), "{}", visitor.address().await);
        assert_eq!(visitor.count("#user_code[aria-invalid=true][aria-describedby~=problem]").await, 1);

        visitor.run("document.querySelector('#user_code').value = ''", &[]).await;
        visitor.enter("#user_code", &device.user_code).await;
        visitor.follow(SUBMIT).await;
        assert_eq!(visitor.text_of(".code strong").await, device.user_code);
        assert_eq!(visitor.complaints().await, Vec::<String>::new());
    }

    async fn a_link_with_a_wrong_code_is_explained_and_leaves_no_code_behind(visitor: &Visitor) {
        visitor.visit("/device?user_code=ABCD-EFG0").await;
        assert!(!visitor.address().await.contains("EFG0"), "{}", visitor.address().await);
        assert!(visitor.text_of("[role=alert]").await.starts_with("That is not a valid code."));
        assert_eq!(visitor.field("#user_code").await, "");
        let history = visitor.devtools("Page.getNavigationHistory", serde_json::json!({})).await;
        let kept = |entry: &serde_json::Value| entry["url"].as_str().unwrap().contains("EFG0");
        assert!(!history["entries"].as_array().unwrap().iter().any(kept), "{history}");
    }

    async fn a_slash_too_many_changes_nothing(visitor: &Visitor) {
        visitor.visit("/device/").await;
        assert_eq!(visitor.path().await, "/device");
        let device = visitor.device("laptop").await;
        visitor.visit(&format!("/device/?user_code={}", device.user_code)).await;
        assert!(visitor.path().await.starts_with("/signin?return=/device/"), "{}", visitor.path().await);
        let history = visitor.devtools("Page.getNavigationHistory", serde_json::json!({})).await;
        let kept = |entry: &serde_json::Value| entry["url"].as_str().unwrap().contains(&device.user_code);
        assert!(!history["entries"].as_array().unwrap().iter().any(kept), "{history}");
        visitor.sign_in_as(OWNER, PASSWORD).await;
        assert_eq!(visitor.text_of(".code strong").await, device.user_code);
    }

    async fn an_unknown_code_says_how_to_get_another(visitor: &Visitor) {
        visitor.sign_in().await;
        visitor.enter_code(UNKNOWN).await;
        assert_eq!(visitor.text_of("h1").await, "This code is no longer valid");
        assert_eq!(visitor.text_of("pre").await, visitor.login_command());
    }

    async fn an_empty_field_is_not_sent(visitor: &Visitor) {
        visitor.visit("/device").await;
        assert_eq!(visitor.run("return document.activeElement.id", &[]).await, "user_code", "ready to type");
        visitor.click(SUBMIT).await;
        assert_eq!(visitor.count("[role=alert]").await, 0);
    }

    async fn an_address_that_was_tampered_with_shows_no_device(visitor: &Visitor) {
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
        visitor.switch_language().await;
        assert_eq!(visitor.text_of("h1").await, "页面不存在");
        visitor.follow("main a.button").await;
        assert_eq!(visitor.path().await, "/device");
        assert_eq!(visitor.complaints().await, Vec::<String>::new());
    }

    with FEW_WRONG_CODES;
    async fn guessing_is_stopped_for_right_codes_too(visitor: &Visitor) {
        visitor.sign_in().await;
        let device = visitor.device("laptop").await;
        visitor.enter_code(UNKNOWN).await;
        visitor.enter_code(UNKNOWN).await;
        visitor.enter_code(&device.user_code).await;
        assert_eq!(visitor.text_of("h1").await, "Too many attempts");
        assert!(visitor.text().await.contains("Try again in about"));
        visitor.server.advance(460);
        visitor.follow("main a.button").await;
        assert_eq!(visitor.text_of(".code strong").await, device.user_code, "straight back to the code");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_gets_its_hyphen_and_capitals_as_it_is_typed() {
    let Some(visitor) = Visitor::arrive().await else { return };
    visitor.visit("/device").await;
    visitor.enter("#user_code", "abcd").await;
    assert_eq!(visitor.field("#user_code").await, "ABCD-");
    visitor.enter("#user_code", "-ef").await;
    assert_eq!(visitor.field("#user_code").await, "ABCD-EF", "a hyphen that is typed as well is not doubled");
    // Backspace, four times: nothing is put back.
    visitor.enter("#user_code", "\u{E003}\u{E003}\u{E003}\u{E003}").await;
    assert_eq!(visitor.field("#user_code").await, "ABC");
    visitor.enter("#user_code", "d efgh").await;
    assert_eq!(visitor.field("#user_code").await, "ABCD-EFGH");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_was_rejected_is_kept_and_typed_over() {
    let Some(visitor) = Visitor::arrive().await else { return };
    visitor.visit("/device").await;
    visitor.enter("#user_code", "ABCD-EFG0").await;
    visitor.follow(SUBMIT).await;
    assert_eq!(visitor.field("#user_code").await, "ABCD-EFG0");
    visitor.until("#user_code:focus").await;
    visitor.until_true("return document.activeElement.selectionEnd === 9").await;
    visitor.press("wdjpjhtn").await;
    assert_eq!(visitor.field("#user_code").await, "WDJP-JHTN");
    visitor.visit("/device").await;
    assert_eq!(visitor.field("#user_code").await, "", "kept for the next page only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_in_full_width_letters_is_read() {
    let Some(visitor) = Visitor::arrive().await else { return };
    for typed in ["ＷＤＪＰ－ＪＨＴＮ", "ｗｄｊｐｊｈｔｎ"] {
        visitor.visit("/device").await;
        visitor.enter("#user_code", typed).await;
        assert_eq!(visitor.field("#user_code").await, "WDJP-JHTN", "{typed}");
        visitor.visit("/device").await;
        visitor.click("#user_code").await;
        visitor.paste(typed).await;
        assert_eq!(visitor.field("#user_code").await, "WDJP-JHTN", "{typed} pasted");
        visitor.visit("/device").await;
        visitor.click("#user_code").await;
        visitor.compose(typed).await;
        assert_eq!(visitor.field("#user_code").await, "WDJP-JHTN", "{typed} by an input method");
    }
    visitor.visit("/device").await;
    visitor.enter("#user_code", "АВСD-EFGH").await;
    assert_eq!(visitor.field("#user_code").await, "АВСD-EFGH", "Cyrillic stays to be seen");
    visitor.follow(SUBMIT).await;
    assert!(visitor.text_of("[role=alert]").await.starts_with("That is not a valid code."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_can_be_pasted_with_whatever_is_around_it() {
    let Some(visitor) = Visitor::arrive().await else { return };
    for (pasted, code) in [
        ("abcdefgh", "ABCD-EFGH"),
        (" ABCD EFGH\n", "ABCD-EFGH"),
        ("Enter the code ABCD-EFGH in your browser", "ABCD-EFGH"),
        ("http://127.0.0.1:5001/device?user_code=ABCD-EFGH", "ABCD-EFGH"),
    ] {
        visitor.visit("/device").await;
        visitor.click("#user_code").await;
        visitor.paste(pasted).await;
        assert_eq!(visitor.field("#user_code").await, code, "{pasted:?}");
    }
}
