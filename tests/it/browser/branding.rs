//! The organization's name, logo and colours; times in the reader's zone; helps at the sign-in form.

use serde_json::json;

use super::*;

/// A page in the colours of an organization passes the same checks as the others, in both schemes and both widths.
#[tokio::test(flavor = "multi_thread")]
async fn pages_look_like_the_organization() {
    let directory = tempfile::tempdir().unwrap();
    let logo = directory.path().join("logo.svg");
    let image = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 9 9\"><rect width=\"9\" height=\"9\"/></svg>";
    std::fs::write(&logo, image).unwrap();
    let variables = [
        ("BRAND_NAME", "Acme AI"),
        ("BRAND_ACCENT_COLOR", "#0a7d55"),
        ("BRAND_LOGO_FILE", logo.to_str().unwrap()),
        ("HELP_URL", "https://acme.example/help"),
        ("PRIVACY_URL", "https://acme.example/privacy"),
        ("TERMS_URL", "https://acme.example/terms"),
        ("SIGN_IN_HELP_URL", "https://acme.example/password"),
    ];
    let Some(visitor) = Visitor::start_with(&variables).await else { return };
    visitor.visit("/signin").await;
    assert_eq!(visitor.text_of(".brand").await, "Acme AI");
    assert!(visitor.run("return document.title", &[]).await.as_str().unwrap().ends_with("Acme AI"));
    let color = "return getComputedStyle(document.querySelector('button.primary')).backgroundColor";
    assert_eq!(visitor.run(color, &[]).await, "rgb(10, 125, 85)");
    let drawn = "const logo = document.querySelector('.brand img'); return logo.complete && logo.naturalWidth > 0";
    assert_eq!(visitor.run(drawn, &[]).await, true);
    for link in ["help", "privacy", "terms"] {
        assert_eq!(visitor.count(&format!("footer a[href=\"https://acme.example/{link}\"]")).await, 1, "{link}");
    }
    assert_eq!(visitor.count("main a[href=\"https://acme.example/password\"]").await, 1);
    visitor.check_page("branded-sign-in").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_shown_in_the_time_zone_of_the_reader() {
    let Some(visitor) = Visitor::start().await else { return };
    visitor.devtools("Emulation.setTimezoneOverride", json!({"timezoneId": "Asia/Tokyo"})).await;
    visitor.sign_in().await;
    let owner = Browser::signed_in(&visitor.server, OWNER).await;
    Bearer::sign_in_with(&visitor.server, &owner, "laptop").await;
    visitor.visit("/device/sessions").await;
    let times = "return [...document.querySelectorAll('time')].map((time) => [time.textContent, time.title])";
    let times = visitor.run(times, &[]).await;
    let times = times.as_array().unwrap();
    assert!(times.len() >= 2, "{times:?}");
    for time in times {
        let (text, title) = (time[0].as_str().unwrap(), time[1].as_str().unwrap());
        // Either the time in the zone, or a relative one with the time in the zone as its title.
        assert!(text.contains("GMT+9") && title.contains("UTC") || title.contains("GMT+9"), "{text} {title}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn password_is_shown_while_the_box_is_ticked() {
    let Some(visitor) = Visitor::start().await else { return };
    visitor.visit("/signin").await;
    let kind = "return document.querySelector('#password').type";
    assert_eq!(visitor.run(kind, &[]).await, "password");
    visitor.click("#show-password").await;
    assert_eq!(visitor.run(kind, &[]).await, "text");
    visitor.click("#show-password").await;
    assert_eq!(visitor.run(kind, &[]).await, "password");
}

in_both_browsers! {
    device_is_decided_with_another_account,
}

async fn device_is_decided_with_another_account(visitor: &Visitor) {
    visitor.sign_in().await;
    let device = visitor.device("laptop").await;
    visitor.enter_code(&device.user_code).await;
    let page = visitor.path().await;
    visitor.follow("main dd button.link").await;
    assert!(visitor.path().await.starts_with("/signin?return="), "{}", visitor.path().await);
    visitor.sign_in_as(MEMBER, PASSWORD).await;
    assert_eq!(visitor.path().await, page);
    assert!(visitor.text_of("main dl:nth-of-type(2)").await.contains(MEMBER));
    visitor.click("#mine").await;
    visitor.follow(AUTHORIZE).await;
    assert!(visitor.path().await.ends_with("/done"));
}
