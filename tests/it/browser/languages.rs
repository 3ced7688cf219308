//! The language of the pages: `Accept-Language`, the switch and its cookie.

use super::*;

/// Sets `Accept-Language`.
async fn set_accepted_languages(visitor: &Visitor, languages: &str) {
    let headers = serde_json::json!({"headers": {"Accept-Language": languages}});
    visitor.devtools("Network.enable", serde_json::json!({})).await;
    visitor.devtools("Network.setExtraHTTPHeaders", headers).await;
}

in_both_browsers! {
    pages_are_in_the_accepted_language,
    language_switch_keeps_the_page_and_is_remembered,
    language_switch_works_after_a_rejected_form,
}

async fn pages_are_in_the_accepted_language(visitor: &Visitor) {
    set_accepted_languages(visitor, "zh-CN,zh;q=0.9,en;q=0.8").await;
    visitor.visit("/signin").await;
    assert_eq!(visitor.text_of("h1").await, "登录");
    assert_eq!(visitor.count("html[lang=zh]").await, 1);
    set_accepted_languages(visitor, "fr").await;
    visitor.visit("/signin").await;
    assert_eq!(visitor.text_of("h1").await, "Sign in", "English is the default");
}

async fn language_switch_keeps_the_page_and_is_remembered(visitor: &Visitor) {
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    visitor.switch_language("zh").await;
    assert_eq!(visitor.text_of("h1").await, "登录");
    visitor.sign_in_as(OWNER, "not the password").await;
    assert_eq!(visitor.text_of("[role=alert]").await, "邮箱或密码不正确。");
    visitor.sign_in_as(OWNER, PASSWORD).await;
    assert_eq!(visitor.text_of(".code strong").await, device.user_code, "the switch keeps the code");
    assert_eq!(visitor.text_of("h1").await, "允许此设备登录吗？");
    visitor.switch_language("en").await;
    assert_eq!(visitor.text_of("h1").await, "Let this device in?");
    assert_eq!(visitor.text_of(".code strong").await, device.user_code);
    visitor.switch_language("zh").await;
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert_eq!(visitor.text_of("h1").await, "设备已授权");
    visitor.follow("main a.button").await;
    assert_eq!(visitor.text_of("h1").await, "我的会话");
}

async fn language_switch_works_after_a_rejected_form(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    visitor.run("document.querySelector('#mine').removeAttribute('required')", &[]).await;
    visitor.follow(AUTHORIZE).await;
    visitor.switch_language("zh").await;
    assert_eq!(visitor.text_of(".code strong").await, device.user_code);
    assert_eq!(visitor.text_of("h1").await, "允许此设备登录吗？");
}
