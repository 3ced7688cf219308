//! English and Chinese: what the browser asks for, and what the switch says.

use super::*;

/// Asks for a language as browsers do.
async fn prefer(visitor: &Visitor, languages: &str) {
    let headers = serde_json::json!({"headers": {"Accept-Language": languages}});
    visitor.devtools("Network.enable", serde_json::json!({})).await;
    visitor.devtools("Network.setExtraHTTPHeaders", headers).await;
}

in_both_browsers! {
    async fn a_chinese_browser_gets_chinese_pages(visitor: &Visitor) {
        prefer(visitor, "zh-CN,zh;q=0.9,en;q=0.8").await;
        visitor.visit("/signin").await;
        assert_eq!(visitor.text_of("h1").await, "登录");
        assert_eq!(visitor.count("html[lang=zh]").await, 1);
        prefer(visitor, "fr").await;
        visitor.visit("/signin").await;
        assert_eq!(visitor.text_of("h1").await, "Sign in", "what is not known is English");
    }

    async fn the_switch_keeps_the_page_and_is_remembered(visitor: &Visitor) {
        let device = visitor.device("laptop").await;
        visitor.enter_code(&device.user_code).await;
        visitor.switch_language().await;
        assert_eq!(visitor.text_of("h1").await, "登录");
        visitor.sign_in_as(OWNER, "not the password").await;
        assert_eq!(visitor.text_of("[role=alert]").await, "邮箱或密码不正确。");
        visitor.sign_in_as(OWNER, PASSWORD).await;
        assert_eq!(visitor.text_of(".code strong").await, device.user_code, "the switch has not lost the code");
        assert_eq!(visitor.text_of("h1").await, "允许此设备登录吗？");
        visitor.switch_language().await;
        assert_eq!(visitor.text_of("h1").await, "Let this device in?");
        assert_eq!(visitor.text_of(".code strong").await, device.user_code);
        visitor.switch_language().await;
        visitor.click("#mine").await;
        visitor.follow(AUTHORIZE).await;
        assert_eq!(visitor.text_of("h1").await, "设备已授权");
        visitor.follow("main a.button").await;
        assert_eq!(visitor.text_of("h1").await, "我的会话");
    }

    async fn the_switch_works_where_a_form_has_just_failed(visitor: &Visitor) {
        visitor.sign_in().await;
        let device = visitor.device("laptop").await;
        visitor.enter_code(&device.user_code).await;
        visitor.run("document.querySelector('#mine').removeAttribute('required')", &[]).await;
        visitor.follow(AUTHORIZE).await;
        visitor.switch_language().await;
        assert_eq!(visitor.text_of(".code strong").await, device.user_code);
        assert_eq!(visitor.text_of("h1").await, "允许此设备登录吗？");
    }
}
