//! The pages over HTTP: statuses, redirects and headers.

use reqwest::Method;

use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer,
    server::{MEMBER, OWNER, PASSWORD},
};

async fn get(browser: &Browser, path: &str) -> Answer {
    Answer::to(browser.bare(Method::GET, path)).await
}

/// The status and the target of a redirect.
fn redirect_of(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.header("location"))
}

/// The path of a new device's page.
async fn device_page(server: &TestServer) -> String {
    let device = Device::start(server, "laptop").await;
    let path = format!("/device?user_code={}", device.user_code);
    get(&Browser::anonymous(server), &path).await.header("location").to_owned()
}

on_both_stores!(
    get_of_a_form_target_redirects_to_its_page,
    unknown_path_below_the_pages_returns_a_page,
    malformed_code_in_a_link_is_not_repeated,
    sign_in_completed_in_another_tab_continues,
    current_session_is_marked_only_for_its_account,
    rejected_form_redirects_to_an_address_without_typed_text,
    unknown_notices_in_a_query_are_ignored,
    trailing_slash_removes_the_code_from_the_address,
    embedded_pages_do_not_count_wrong_codes
);

async fn get_of_a_form_target_redirects_to_its_page(stores: Stores) {
    let server = TestServer::start(stores).await;
    let page = device_page(&server).await;
    for browser in [Browser::anonymous(&server), Browser::signed_in(&server, OWNER).await] {
        for (path, target) in [
            (format!("{page}/approve"), page.as_str()),
            (format!("{page}/deny"), page.as_str()),
            ("/device/signout".to_owned(), "/device"),
            // A malformed handle is not repeated.
            ("/device/%2f%2fevil.example/approve".to_owned(), "/device"),
            ("/device/nonsense/deny?return=//evil.example".to_owned(), "/device"),
        ] {
            let answer = get(&browser, &path).await;
            assert_eq!(redirect_of(&answer), (303, target), "{path}");
            assert_eq!(answer.cookies(), Vec::<&str>::new(), "{path}");
        }
    }
    let browser = Browser::signed_in(&server, OWNER).await;
    assert_eq!(get(&browser, &page).await.status, 200, "nothing was decided");
}

async fn unknown_path_below_the_pages_returns_a_page(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (anonymous, signed_in) = (Browser::anonymous(&server), Browser::signed_in(&server, OWNER).await);
    let known = get(&anonymous, "/device").await;
    for path in [
        "/device//",
        "/device/x/y",
        "/device/sessions/",
        "/device/sessions/x",
        "/device/sessions/x/y/z",
        "/device/assets/a/b",
        "/device/x/approve/",
        "/signin/",
        "/signin/x",
        "/device/%ff/%fe",
    ] {
        for (browser, language, title) in [(&anonymous, "en", "Page not found"), (&signed_in, "zh-CN", "页面不存在")]
        {
            let answer = Answer::to(browser.bare(Method::GET, path).header("accept-language", language)).await;
            assert_eq!(answer.status, 404, "{path}");
            assert!(answer.text.contains(title), "{path}: {}", answer.text);
            assert_eq!(answer.text.contains(OWNER), std::ptr::eq(browser, &raw const signed_in), "{path}");
            for name in
                ["content-type", "content-security-policy", "referrer-policy", "x-frame-options", "cache-control"]
            {
                assert_eq!(answer.header(name), known.header(name), "{path}: {name}");
            }
        }
        let answer = Answer::to(anonymous.bare(Method::HEAD, path)).await;
        assert_eq!((answer.status, answer.text.as_str()), (404, ""), "{path}");
        // No form posts there, so the client is a program.
        let answer = Answer::to(signed_in.request(Method::POST, path)).await;
        assert_eq!(answer.outcome(), (404, "not_found".to_owned()), "{path}");
    }
    let hostile = get(&anonymous, "/device/%22%3E%3Cscript%3E/x").await;
    assert!(!hostile.text.contains("\"><script>"), "{}", hostile.text);
}

async fn malformed_code_in_a_link_is_not_repeated(stores: Stores) {
    let server = TestServer::start(stores).await;
    let anonymous = Browser::anonymous(&server);
    let answer = get(&anonymous, "/device?user_code=TYPO-TYPO").await;
    assert_eq!(redirect_of(&answer), (303, "/device?malformed=yes"));
    let shown = get(&anonymous, "/device?malformed=TYPO-TYPO").await;
    assert_eq!(shown.status, 200);
    assert!(shown.text.contains("That is not a valid code.") && !shown.text.contains("TYPO"), "{}", shown.text);
}

async fn sign_in_completed_in_another_tab_continues(stores: Stores) {
    let server = TestServer::start(stores).await;
    let page = device_page(&server).await;
    let signed_in = Browser::signed_in(&server, OWNER).await;
    let send = |browser: &Browser, email: &str, target: &str| {
        let form = [("signin_token", "used up"), ("return", target), ("email", email), ("password", PASSWORD)];
        Answer::to(browser.bare(Method::POST, "/signin").form(&form))
    };
    for (target, expected) in [
        (page.as_str(), page.as_str()),
        ("/device/sessions", "/device/sessions"),
        ("https://evil.example/device/sessions", "/device"),
    ] {
        let answer = send(&signed_in, &OWNER.to_uppercase(), target).await;
        assert_eq!(redirect_of(&answer), (303, expected));
        assert_eq!(answer.cookies(), Vec::<&str>::new(), "nothing changes");
    }
    let once_more = format!("/signin?return={page}&stale=yes");
    let answer = send(&signed_in, MEMBER, &page).await;
    assert_eq!(
        redirect_of(&answer),
        (303, format!("{once_more}&another=yes").as_str()),
        "another account has to sign in"
    );
    assert_eq!(
        get(&signed_in, answer.header("location")).await.status,
        200,
        "the form is shown to the signed-in account"
    );
    assert_eq!(redirect_of(&send(&Browser::anonymous(&server), OWNER, &page).await), (303, once_more.as_str()));
}

async fn current_session_is_marked_only_for_its_account(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let own = Bearer::sign_in_with(&server, &browser, "laptop").await;
    Bearer::sign_in_with(&server, &browser, "tower").await;
    let others = Bearer::sign_in(&server, MEMBER, "phone").await;
    let list = |id: &str| format!("/device/sessions?current={id}");
    let marks = async |path: &str| get(&browser, path).await.text.matches("class=\"tag here\"").count();
    assert_eq!(marks("/device/sessions").await, 0);
    assert_eq!(marks(&list(&own.token_id)).await, 1);
    for id in [others.token_id.as_str(), "nonsense", ""] {
        assert_eq!(marks(&list(id)).await, 0, "{id}");
    }
    let sent = get(&Browser::anonymous(&server), &list(&own.token_id)).await;
    assert_eq!(redirect_of(&sent), (303, format!("/signin?return={}", list(&own.token_id)).as_str()));
    let past_the_end = get(&browser, &format!("{}&page=9", list(&own.token_id))).await;
    assert_eq!(past_the_end.header("location"), format!("{}&page=1", list(&own.token_id)));
    let done = get(&browser, "/device/sessions?page=9&done=revoked").await;
    assert_eq!(done.header("location"), "/device/sessions?page=1&done=revoked", "the notice is kept");
}

async fn rejected_form_redirects_to_an_address_without_typed_text(stores: Stores) {
    let server = TestServer::start(stores).await;
    let page = device_page(&server).await;
    let mut anonymous = Browser::anonymous(&server);
    let form = get(&anonymous, "/signin").await;
    anonymous.take_cookies(&form.headers);
    let token = anonymous.cookies["signin_token"].clone();
    let sign_in = async |password: &str| {
        let form =
            [("signin_token", token.as_str()), ("return", page.as_str()), ("email", OWNER), ("password", password)];
        Answer::to(anonymous.bare(Method::POST, "/signin").form(&form)).await
    };
    assert_eq!(redirect_of(&sign_in("").await), (303, format!("/signin?return={page}&incomplete=yes").as_str()));
    for _ in 0..5 {
        assert_eq!(redirect_of(&sign_in("wrong").await), (303, format!("/signin?return={page}&wrong=yes").as_str()));
    }
    let locked = sign_in(PASSWORD).await;
    let (status, location) = redirect_of(&locked);
    let until = location.strip_prefix(&format!("/signin?return={page}&locked=yes&until=")).unwrap();
    assert!(status == 303 && until.bytes().all(|byte| byte.is_ascii_digit()), "{location}");
    for _ in 0..6 {
        let shown = get(&anonymous, location).await;
        assert!(shown.status == 200 && shown.text.contains("Try again in "), "{}", shown.text);
    }
    server.advance(61);
    assert!(!get(&anonymous, location).await.text.contains("role=\"alert\""), "the lock has ended");
    assert_eq!(redirect_of(&sign_in(PASSWORD).await), (303, page.as_str()));

    // Only the script of the page converts full-width letters.
    for typed in ["TYPO-TYPO", "ＷＤＪＰ－ＪＨＴＮ", ""] {
        let code = Answer::to(anonymous.bare(Method::POST, "/device").form(&[("user_code", typed)])).await;
        assert_eq!(redirect_of(&code), (303, "/device?malformed=yes"), "{typed}");
    }
}

async fn unknown_notices_in_a_query_are_ignored(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let anonymous = Browser::anonymous(&server);
    for query in
        ["refused=%3Cb%3E", "refused=", "refused=internal_server_error", "until=-1", "refused=rate_limited&until=1"]
    {
        let shown = get(&browser, &format!("/device?{query}")).await;
        assert!(shown.status == 200 && shown.text.contains("name=\"user_code\""), "{query}: {}", shown.text);
    }
    for query in ["wrong=%3Cb%3E", "locked=yes&until=%3Cb%3E", "locked=yes&until=99999999999999999999"] {
        let shown = get(&anonymous, &format!("/signin?{query}")).await;
        assert!(shown.text.contains("role=\"alert\"") && !shown.text.contains("<b>"), "{query}: {}", shown.text);
    }
    let shown = get(&browser, "/device/sessions?refused=not_found").await;
    assert!(shown.text.contains("This session has ended"), "{}", shown.text);
    let elsewhere = get(&browser, "/device/done/approved?refused=not_found").await;
    assert!(elsewhere.text.contains("Device authorized"), "only pages with a form show errors of forms");
}

async fn trailing_slash_removes_the_code_from_the_address(stores: Stores) {
    let server = TestServer::start(stores).await;
    let anonymous = Browser::anonymous(&server);
    assert_eq!(redirect_of(&get(&anonymous, "/device/").await), (303, "/device"));
    let sealed = get(&anonymous, "/device/?user_code=ABCD-EFGH").await;
    let (status, path) = redirect_of(&sealed);
    let handle = path.strip_prefix("/device/").unwrap();
    assert!(status == 303 && handle.len() == 64, "{path}");
    assert_eq!(redirect_of(&get(&anonymous, "/device/?user_code=TYPO-TYPO").await), (303, "/device?malformed=yes"));
}

async fn embedded_pages_do_not_count_wrong_codes(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "user_code=2/15m,lookup=4/5m")]).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let right = device_page(&server).await;
    let wrong = get(&browser, "/device?user_code=WXYV-3456").await.header("location").to_owned();
    let from = async |path: &str, site: &str, dest: &str| {
        let request = browser.bare(Method::GET, path).header("sec-fetch-site", site).header("sec-fetch-dest", dest);
        Answer::to(request).await.status
    };
    for path in [wrong.as_str(), "/device?user_code=WXYV-3456", "/device/sessions", "/signin"] {
        for dest in ["image", "iframe", "frame", "empty", "script", ""] {
            assert_eq!(from(path, "cross-site", dest).await, 403, "{path} as {dest}");
        }
    }
    assert_eq!(from(&wrong, "cross-site", "document").await, 404, "a link from a mail");
    assert_eq!(from("/device?user_code=WXYV-3456", "cross-site", "document").await, 303);
    for (site, dest) in [("cross-site", "document"), ("same-origin", "empty"), ("none", "document")] {
        assert_eq!(from(&right, site, dest).await, 200, "{site} {dest}");
    }
    // A link from a mail, with an expired access token.
    server.advance(2 * 3_600);
    let sent = get(&browser, &right).await;
    assert_eq!(redirect_of(&sent), (303, format!("/signin?return={right}").as_str()));
    for path in [sent.header("location"), &format!("/signin/refresh?return={right}")] {
        assert_eq!(from(path, "cross-site", "document").await, 303, "{path}");
    }

    let shown = get(&browser, "/device").await.text.replace("&#x2f;", "/");
    let css = shown.split('"').find(|part| part.starts_with("/device/assets/pages.")).unwrap();
    assert_eq!(from(css, "same-origin", "style").await, 200);
}
