//! The pages over HTTP: statuses, redirects and headers.

use reqwest::Method;

use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer,
    server::{MEMBER, OWNER, PASSWORD},
    visitor::without_signature,
};

async fn get(browser: &Browser, path: &str) -> Answer {
    Answer::to(browser.bare(Method::GET, path)).await
}

/// The status and the target of a redirect, without the signature of a notice.
fn redirect_of(answer: &Answer) -> (u16, String) {
    (answer.status, without_signature(answer.header("location")))
}

fn see_other(target: &str) -> (u16, String) {
    (303, target.to_owned())
}

async fn enter_code(browser: &Browser, code: &str) -> Answer {
    Answer::to(browser.bare(Method::POST, "/device").form(&[("user_code", code)])).await
}

/// A browser with the cookies of a response.
fn with_cookies(browser: &Browser, answer: &Answer) -> Browser {
    let mut browser = browser.clone();
    browser.take_cookies(&answer.headers);
    browser
}

/// The path of a new device's page.
async fn device_page(server: &TestServer) -> String {
    let device = Device::start(server, "laptop").await;
    enter_code(&Browser::anonymous(server), &device.user_code).await.header("location").to_owned()
}

on_both_stores!(
    get_of_a_form_target_redirects_to_its_page,
    unknown_path_below_the_pages_returns_a_page,
    malformed_code_in_a_link_is_not_repeated,
    sign_in_completed_in_another_tab_continues,
    current_session_is_marked_only_for_its_account,
    rejected_form_redirects_to_an_address_without_typed_text,
    notice_in_a_link_is_ignored,
    link_fills_the_code_in_and_looks_nothing_up,
    wrong_code_counts_at_the_submitted_form_only,
    session_is_refreshed_by_a_submitted_form_only,
    trailing_slash_removes_the_code_from_the_address,
    pages_are_not_embedded_by_other_sites,
    outcome_is_shown_to_the_account_that_decided,
    sessions_of_other_accounts_are_neither_named_nor_ended,
    limited_refresh_does_not_speak_of_codes
);

async fn get_of_a_form_target_redirects_to_its_page(stores: Stores) {
    let server = TestServer::start(stores).await;
    let page = device_page(&server).await;
    for browser in [Browser::anonymous(&server), Browser::signed_in(&server, OWNER).await] {
        for (path, target) in [
            (format!("{page}/approve"), page.as_str()),
            (format!("{page}/deny"), page.as_str()),
            (format!("{page}/end"), page.as_str()),
            ("/device/sessions/browsers/x/end".to_owned(), "/device/sessions"),
            ("/device/signout".to_owned(), "/device"),
            // A malformed handle is not repeated.
            ("/device/%2f%2fevil.example/approve".to_owned(), "/device"),
            ("/device/nonsense/deny?return=//evil.example".to_owned(), "/device"),
        ] {
            let answer = get(&browser, &path).await;
            assert_eq!(redirect_of(&answer), see_other(target), "{path}");
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
    assert_eq!(redirect_of(&answer), see_other("/device?notice=malformed"));
    let anonymous = with_cookies(&anonymous, &answer);
    let shown = get(&anonymous, answer.header("location")).await;
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
        assert_eq!(redirect_of(&answer), see_other(expected));
        assert_eq!(answer.cookies(), Vec::<&str>::new(), "nothing changes");
    }
    let once_more = format!("/signin?return={page}&notice=stale");
    let answer = send(&signed_in, MEMBER, &page).await;
    let another = format!("/signin?return={page}&another=yes&notice=stale");
    assert_eq!(redirect_of(&answer), see_other(&another), "another account has to sign in");
    let shown = get(&with_cookies(&signed_in, &answer), answer.header("location")).await;
    assert_eq!(shown.status, 200, "the form is shown to the signed-in account");
    assert_eq!(redirect_of(&send(&Browser::anonymous(&server), OWNER, &page).await), see_other(&once_more));
}

async fn current_session_is_marked_only_for_its_account(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let own = Bearer::sign_in_with(&server, &browser, "laptop").await;
    Bearer::sign_in_with(&server, &browser, "tower").await;
    let others = Bearer::sign_in(&server, MEMBER, "phone").await;
    let list = |id: &str| format!("/device/sessions?current={id}");
    let marks = async |path: &str| get(&browser, path).await.text.matches(">this device<").count();
    assert_eq!(marks("/device/sessions").await, 0);
    assert_eq!(marks(&list(&own.token_id)).await, 1);
    for id in [others.token_id.as_str(), "nonsense", ""] {
        assert_eq!(marks(&list(id)).await, 0, "{id}");
    }
    let sent = get(&Browser::anonymous(&server), &list(&own.token_id)).await;
    assert_eq!(redirect_of(&sent), see_other(&format!("/signin?return={}", list(&own.token_id))));
    let past_the_end = get(&browser, &format!("{}&page=9", list(&own.token_id))).await;
    assert_eq!(past_the_end.header("location"), format!("{}&page=1", list(&own.token_id)));
    let csrf = [("csrf_token", browser.cookies["csrf_token"].as_str())];
    let path = format!("/device/sessions/{}/revoke?page=9", own.token_id);
    let revoked = Answer::to(browser.bare(Method::POST, &path).form(&csrf)).await;
    assert_eq!(redirect_of(&revoked), see_other("/device/sessions?page=9&notice=revoked"));
    let browser = with_cookies(&browser, &revoked);
    let done = get(&browser, revoked.header("location")).await;
    assert_eq!(redirect_of(&done), see_other("/device/sessions?page=1&notice=revoked"), "the notice is kept");
    assert!(get(&browser, done.header("location")).await.text.contains("The session has been revoked."));
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
    assert_eq!(redirect_of(&sign_in("").await), see_other(&format!("/signin?return={page}&notice=incomplete")));
    for _ in 0..5 {
        assert_eq!(redirect_of(&sign_in("wrong").await), see_other(&format!("/signin?return={page}&notice=wrong")));
    }
    let locked = sign_in(PASSWORD).await;
    let (status, location) = redirect_of(&locked);
    let (anonymous, signed) = (with_cookies(&anonymous, &locked), locked.header("location"));
    let until = location.strip_prefix(&format!("/signin?return={page}&notice=locked-")).unwrap();
    assert!(status == 303 && until.bytes().all(|byte| byte.is_ascii_digit()), "{location}");
    for _ in 0..6 {
        let shown = get(&anonymous, signed).await;
        assert!(shown.status == 200 && shown.text.contains("Try again in "), "{}", shown.text);
    }
    server.advance(61);
    assert!(!get(&anonymous, signed).await.text.contains("role=\"alert\""), "the lock has ended");
    assert_eq!(redirect_of(&sign_in(PASSWORD).await), see_other(&page));

    // Only the script of the page converts full-width letters.
    for typed in ["TYPO-TYPO", "ＷＤＪＰ－ＪＨＴＮ", ""] {
        let code = Answer::to(anonymous.bare(Method::POST, "/device").form(&[("user_code", typed)])).await;
        assert_eq!(redirect_of(&code), see_other("/device?notice=malformed"), "{typed}");
    }
}

async fn notice_in_a_link_is_ignored(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (browser, anonymous) = (Browser::signed_in(&server, OWNER).await, Browser::anonymous(&server));
    let denied = Answer::to(browser.bare(Method::POST, "/device").form(&[("user_code", "TYPO")])).await;
    let signed = denied.header("location").to_owned();
    let noticing = with_cookies(&browser, &denied);
    assert!(get(&noticing, &signed).await.text.contains("That is not a valid code."));
    // The same link in another browser, and in one that has another cookie.
    let mut other = browser.clone();
    other.cookies.insert("notices".to_owned(), "A".repeat(22));
    for reader in [&browser, &other, &anonymous] {
        assert!(!get(reader, &signed).await.text.contains("role=\"alert\""));
    }
    let signature = signed.rsplit_once('.').unwrap().1;
    for query in [
        "notice=malformed",
        "notice=malformed.",
        "notice=%3Cb%3E",
        "notice=",
        "refused=rate_limited",
        "malformed=yes",
        "until=1",
        &format!("notice=rate_limited.{signature}"),
        &format!("notice=rate_limited-99999999999.{signature}"),
    ] {
        let shown = get(&noticing, &format!("/device?{query}")).await;
        assert!(shown.status == 200 && shown.text.contains("name=\"user_code\""), "{query}: {}", shown.text);
        assert!(!shown.text.contains("role=\"alert\"") && !shown.text.contains("<b>"), "{query}: {}", shown.text);
    }
    for query in ["wrong=yes", "locked=yes&until=99999999999", "done=yes", "ended=yes", "notice=locked-99999999999.0"] {
        let shown = get(&anonymous, &format!("/signin?{query}")).await.text;
        assert!(!shown.contains("role=\"alert\"") && !shown.contains("role=\"status\""), "{query}: {shown}");
    }
    for query in ["done=all", "refused=not_found", "notice=all_revoked"] {
        let shown = get(&noticing, &format!("/device/sessions?{query}")).await.text;
        assert!(shown.contains("No device is signed in") && !shown.contains("role=\"status\""), "{query}: {shown}");
    }
}

async fn link_fills_the_code_in_and_looks_nothing_up(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "user_code=1/15m")]).await;
    let device = Device::start(&server, "laptop").await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let arrive = async |code: &str, headers: &[(&str, &str)]| {
        let mut request = browser.bare(Method::GET, &format!("/device?user_code={code}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = Answer::to(request).await;
        assert_eq!(answer.status, 303);
        get(&browser, answer.header("location")).await.text
    };
    for _ in 0..3 {
        assert!(arrive("WXYV-3456", &[]).await.contains("value=\"WXYV-3456\""), "an unknown code counts nothing");
    }
    let code = device.user_code.as_str();
    let (whole, start) = (format!("value=\"{code}\""), format!("value=\"{}\"", &code[..7]));
    let own = format!("{}/signin", server.url);
    for (headers, expected) in [
        (&[][..], &whole),
        (&[("sec-fetch-site", "none")], &whole),
        (&[("sec-fetch-site", "same-origin")], &whole),
        (&[("referer", own.as_str())], &whole),
        (&[("sec-fetch-site", "cross-site")], &start),
        (&[("sec-fetch-site", "same-site")], &start),
        (&[("referer", "https://mail.example/")], &start),
        (&[("referer", "nonsense")], &start),
    ] {
        let shown = arrive(code, headers).await;
        assert!(shown.contains(expected), "{headers:?}: {shown}");
    }
    // A link to the filled form itself, from another site.
    let filled = get(&browser, &format!("/device?user_code={code}")).await.header("location").to_owned();
    let request = browser.bare(Method::GET, &filled).header("sec-fetch-site", "cross-site");
    let sent = Answer::to(request).await;
    assert_eq!((sent.status, sent.header("location")), (303, format!("{filled}&partial=yes").as_str()));
    assert!(get(&browser, sent.header("location")).await.text.contains(&start));
    let page = enter_code(&browser, code).await;
    assert_eq!(get(&browser, page.header("location")).await.status, 200);
}

async fn wrong_code_counts_at_the_submitted_form_only(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "user_code=2/15m")]).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let page = device_page(&server).await;
    for origin in ["https://evil.example", "null"] {
        let request = browser.bare(Method::POST, "/device").header("origin", origin);
        let answer = Answer::to(request.form(&[("user_code", "WXYV-3456")])).await;
        assert_eq!(answer.status, 403, "{origin}");
    }
    for _ in 0..2 {
        let answer = enter_code(&browser, "WXYV-3456").await;
        assert_eq!(redirect_of(&answer), see_other("/device?notice=unknown_code"));
        let shown = get(&with_cookies(&browser, &answer), answer.header("location")).await.text;
        assert!(shown.contains("This code does not work"), "{shown}");
    }
    let limited = enter_code(&browser, "WXYV-3457").await;
    let (status, location) = redirect_of(&limited);
    assert!(status == 303 && location.contains("&notice=rate_limited-"), "{location}");
    for _ in 0..5 {
        assert_eq!(get(&browser, &page).await.status, 200, "viewing a device counts nothing and is not limited");
    }
}

async fn session_is_refreshed_by_a_submitted_form_only(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    server.advance(2 * 3_600);
    let sent = get(&browser, "/device/sessions").await;
    assert_eq!(redirect_of(&sent), see_other("/signin?return=/device/sessions"));
    for _ in 0..3 {
        let shown = get(&browser, sent.header("location")).await;
        assert!(shown.status == 200 && shown.text.contains("data-submit-once"), "{}", shown.text);
        assert_eq!(shown.cookies(), Vec::<&str>::new());
        let reopened = get(&browser, "/signin/refresh?return=/device/sessions").await;
        assert_eq!(redirect_of(&reopened), see_other("/signin?return=/device/sessions"));
        assert_eq!(reopened.cookies(), Vec::<&str>::new());
    }
    let post = |browser: &Browser, origin: &str| {
        let request = browser.bare(Method::POST, "/signin/refresh").header("origin", origin);
        Answer::to(request.form(&[("return", "/device/sessions")]))
    };
    assert_eq!(post(&browser, "https://evil.example").await.status, 403);
    let continued = post(&browser, &server.url).await;
    assert_eq!(redirect_of(&continued), see_other("/device/sessions"));
    let renewed = with_cookies(&browser, &continued);
    assert_eq!(get(&renewed, "/device/sessions").await.status, 200);
    // The second of two restored tabs.
    let second = post(&browser, &server.url).await;
    assert_eq!(redirect_of(&second), see_other("/device/sessions"));
    assert_eq!(second.cookies(), Vec::<&str>::new());
    assert_eq!(get(&renewed, "/device/sessions").await.status, 200, "the session continues");
    server.advance(11);
    let reused = post(&browser, &server.url).await;
    assert_eq!(redirect_of(&reused), see_other("/signin?return=/device/sessions&notice=ended"));
    assert!(!renewed.is_signed_in().await, "reuse ends the session");
}

async fn trailing_slash_removes_the_code_from_the_address(stores: Stores) {
    let server = TestServer::start(stores).await;
    let anonymous = Browser::anonymous(&server);
    assert_eq!(redirect_of(&get(&anonymous, "/device/").await), see_other("/device"));
    let sealed = get(&anonymous, "/device/?user_code=ABCD-EFGH").await;
    let (status, path) = redirect_of(&sealed);
    let prefill = path.strip_prefix("/device?prefill=").unwrap();
    assert!(status == 303 && prefill.len() == 64, "{path}");
    assert!(get(&anonymous, &path).await.text.contains("value=\"ABCD-EFGH\""));
    assert_eq!(get(&anonymous, &format!("/device/{prefill}")).await.status, 303, "no handle of a device");
    assert_eq!(
        redirect_of(&get(&anonymous, "/device/?user_code=TYPO-TYPO").await),
        see_other("/device?notice=malformed")
    );
}

async fn pages_are_not_embedded_by_other_sites(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let page = device_page(&server).await;
    let from = async |path: &str, site: &str, dest: &str| {
        let request = browser.bare(Method::GET, path).header("sec-fetch-site", site).header("sec-fetch-dest", dest);
        Answer::to(request).await.status
    };
    for path in [page.as_str(), "/device?user_code=WXYV-3456", "/device/sessions", "/signin"] {
        for dest in ["image", "iframe", "frame", "empty", "script", ""] {
            assert_eq!(from(path, "cross-site", dest).await, 403, "{path} as {dest}");
        }
    }
    for (site, dest) in [("cross-site", "document"), ("same-origin", "empty"), ("none", "document")] {
        assert_eq!(from(&page, site, dest).await, 200, "{site} {dest}");
    }
    // A link from a mail, with an expired access token.
    server.advance(2 * 3_600);
    let sent = get(&browser, &page).await;
    assert_eq!(redirect_of(&sent), see_other(&format!("/signin?return={page}")));
    assert_eq!(from(sent.header("location"), "cross-site", "document").await, 200);

    let shown = get(&browser, "/device").await.text.replace("&#x2f;", "/");
    let css = shown.split('"').find(|part| part.starts_with("/device/assets/pages.")).unwrap();
    assert_eq!(from(css, "same-origin", "style").await, 200);
}

async fn post(browser: &Browser, path: &str, fields: &[(&str, &str)]) -> Answer {
    let csrf = ("csrf_token", browser.cookies["csrf_token"].as_str());
    let fields: Vec<_> = [csrf].into_iter().chain(fields.iter().copied()).collect();
    Answer::to(browser.bare(Method::POST, path).form(&fields)).await
}

async fn outcome_is_shown_to_the_account_that_decided(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (owner, member) = (Browser::signed_in(&server, OWNER).await, Browser::signed_in(&server, MEMBER).await);
    let page = device_page(&server).await;
    let done = format!("{page}/done");
    assert_eq!(redirect_of(&get(&owner, &done).await), see_other(&page), "not decided");
    assert_eq!(redirect_of(&post(&owner, &format!("{page}/approve"), &[("mine", "yes")]).await), see_other(&done));
    let shown = get(&owner, &done).await;
    assert!(shown.status == 200 && shown.text.contains(">laptop</bdi>"), "{}", shown.text);
    let session = shown.text.split("name=\"session\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(redirect_of(&get(&owner, &page).await), see_other(&done));
    let others = get(&member, &done).await;
    assert!(others.status == 200 && !others.text.contains("laptop") && others.text.contains("Already decided"));
    assert_eq!(get(&Browser::anonymous(&server), &done).await.status, 303);

    // The handle of one device and the session of another account.
    let end = format!("{page}/end");
    assert_eq!(
        redirect_of(&post(&member, &end, &[("session", &session)]).await),
        see_other(&format!("{done}?notice=ended"))
    );
    assert!(get(&owner, &done).await.text.contains("name=\"session\""), "it is still live");
    for id in ["", "nonsense"] {
        assert_eq!(post(&owner, &end, &[("session", id)]).await.status, 303);
    }
    let bare = Answer::to(owner.bare(Method::POST, &end).form(&[("session", session.as_str())])).await;
    assert_eq!(bare.status, 403, "without the CSRF token");
    assert!(get(&owner, &done).await.text.contains("name=\"session\""), "it is still live");
    assert_eq!(
        redirect_of(&post(&owner, &end, &[("session", &session)]).await),
        see_other(&format!("{done}?notice=ended"))
    );
    let ended = get(&owner, &done).await.text;
    assert!(ended.contains("The session has ended") && ended.contains(">laptop</bdi>"), "{ended}");
}

async fn sessions_of_other_accounts_are_neither_named_nor_ended(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (owner, member) = (Browser::signed_in(&server, OWNER).await, Browser::signed_in(&server, MEMBER).await);
    let bearer = Bearer::sign_in_with(&server, &owner, "laptop").await;
    let rename = format!("/device/sessions/{}/rename", bearer.token_id);
    assert_eq!(get(&member, &rename).await.status, 404);
    let renamed = post(&member, &rename, &[("name", "stolen")]).await;
    assert_eq!(redirect_of(&renamed), see_other("/device/sessions?notice=not_found"));
    let list = get(&owner, "/device/sessions").await.text.replace("&#x2f;", "/");
    assert!(list.contains("laptop") && !list.contains("stolen"));

    let second = Browser::signed_in(&server, OWNER).await;
    let list = get(&second, "/device/sessions").await.text.replace("&#x2f;", "/");
    let end = list.split("action=\"").find(|part| part.starts_with("/device/sessions/browsers/")).unwrap();
    let end = end.split('"').next().unwrap();
    let ended = post(&member, end, &[]).await;
    assert_eq!(redirect_of(&ended), see_other("/device/sessions?notice=not_found"));
    assert!(owner.is_signed_in().await);
    assert_eq!(redirect_of(&post(&second, end, &[]).await), see_other("/device/sessions?notice=browser_ended"));
    assert!(!owner.is_signed_in().await && second.is_signed_in().await);
}

async fn limited_refresh_does_not_speak_of_codes(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "refresh=1/1m")]).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    server.advance(2 * 3_600);
    let refresh = || {
        let request = browser.bare(Method::POST, "/signin/refresh").header("origin", &server.url);
        Answer::to(request.form(&[("return", "/device/sessions")]))
    };
    assert_eq!(refresh().await.status, 303);
    let limited = refresh().await;
    assert_eq!(limited.status, 429);
    assert!(limited.text.contains("too many requests") && !limited.text.contains("codes"), "{}", limited.text);
    assert!(limited.text.replace("&#x2f;", "/").contains("href=\"/signin?return=/device/sessions\""));
}
