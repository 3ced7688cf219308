//! Console hosts for pages and API that differ (contract E2).

use super::*;

/// The server under two names: pages on one, API and callback on the other.
#[tokio::test(flavor = "multi_thread")]
async fn pages_and_callback_are_on_their_own_hosts() {
    let provider = OpenIdProvider::start().await;
    let (web, api) = ("https://console.example", "https://api.example");
    let mut variables = provider.variables().to_vec();
    variables.extend([("CONSOLE_WEB_URL", web), ("CONSOLE_API_URL", api)]);
    let server = TestServer::start_with(Stores::Sqlite, &variables).await;
    let sso = SsoServer { server, provider };
    let (device, mut browser) = (Device::start(&sso, "laptop").await, sso.browser());
    let request = browser.start(&device.user_code).await;
    assert_eq!(parameter(&request, "redirect_uri"), format!("{api}{COMPLETE}"));
    let answer = browser.complete(&request, ANN).await;
    assert_eq!((answer.status, answer.header("location")), (302, "https://console.example/device?sso_verified=1"));
    let grant = answer.cookies()[0].split_once("; ").unwrap().1.to_owned();
    assert_eq!(grant, "Path=/openapi/v1/oauth/device; SameSite=Lax; Max-Age=300; HttpOnly; Secure");
    let page = browser.get("/device?sso_verified=1").await;
    let confirm = "https://api.example/openapi/v1/oauth/device/confirm";
    assert_eq!((page.status, page.header("location")), (303, confirm));
    // The form of that page has the origin of the API.
    let csrf_token = browser.csrf_token().await;
    let form = format!("csrf_token={csrf_token}&mine=yes");
    let request = browser.browser.bare(Method::POST, "/openapi/v1/oauth/device/confirm/approve");
    let request = request.header("origin", api).header("content-type", "application/x-www-form-urlencoded").body(form);
    let answer = Answer::to(request).await;
    let done = "/openapi/v1/oauth/device/done/approved";
    assert_eq!((answer.status, answer.header("location")), (303, done), "{}", answer.text);
    let page = browser.get(done).await.text.replace("&#x2f;", "/");
    assert!(page.contains("href=\"https://console.example/device\""), "{page}");
    let style = page.split("rel=\"stylesheet\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(style.starts_with("/openapi/"), "the host of the API may serve nothing else");
    assert_eq!(browser.get(style).await.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(device.poll().await.0, 200);
    let signin = browser.get("/signin").await;
    assert!(!signin.text.contains("/signin/sso"), "accounts cannot sign in on another host");
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_are_secure_exactly_when_both_urls_are_https() {
    let cases = [
        ("https://console.example", "https://api.example", true),
        ("https://console.example", "http://api.example", false),
        ("http://console.example", "https://api.example", false),
    ];
    for (web, api, expected) in cases {
        let provider = OpenIdProvider::start().await;
        let mut variables = provider.variables().to_vec();
        variables.extend([("CONSOLE_WEB_URL", web), ("CONSOLE_API_URL", api)]);
        let server = TestServer::start_with(Stores::Sqlite, &variables).await;
        let sso = SsoServer { server, provider };
        let device = Device::start(&sso, "laptop").await;
        let answer = sso.browser().get(&format!("{START}?user_code={}", device.user_code)).await;
        assert!(answer.cookies().iter().all(|cookie| cookie.ends_with("; Secure") == expected), "{web} {api}");
    }
}
