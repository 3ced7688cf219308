//! The pages as they are on the wire: what a browser is told where it goes somewhere by itself.

use reqwest::Method;

use crate::support::{
    Answer, Bearer, Browser, Device, TestServer,
    server::{MEMBER, OWNER, PASSWORD},
};

async fn get(browser: &Browser, path: &str) -> Answer {
    Answer::to(browser.bare(Method::GET, path)).await
}

/// Where an answer sends the browser, if it does.
fn sent_to(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.header("location"))
}

/// The page of a device, as entering its code leads there.
async fn device_page(server: &TestServer) -> String {
    let device = Device::start(server, "laptop").await;
    let path = format!("/device?user_code={}", device.user_code);
    get(&Browser::anonymous(server), &path).await.header("location").to_owned()
}

on_both_stores! {
    async fn the_address_of_a_form_leads_to_its_page(server: TestServer) {
        let page = device_page(&server).await;
        for browser in [Browser::anonymous(&server), Browser::signed_in(&server, OWNER).await] {
            for (path, target) in [
                (format!("{page}/approve"), page.as_str()),
                (format!("{page}/deny"), page.as_str()),
                ("/device/signout".to_owned(), "/device"),
                // What is no handle is not said again.
                ("/device/%2f%2fevil.example/approve".to_owned(), "/device"),
                ("/device/nonsense/deny?return=//evil.example".to_owned(), "/device"),
            ] {
                let answer = get(&browser, &path).await;
                assert_eq!(sent_to(&answer), (303, target), "{path}");
                assert_eq!(answer.cookies(), Vec::<&str>::new(), "{path}");
            }
        }
        let browser = Browser::signed_in(&server, OWNER).await;
        assert_eq!(get(&browser, &page).await.status, 200, "nothing was decided by that");
    }

    async fn an_address_among_the_pages_where_nothing_is_has_a_page(server: TestServer) {
        let (nobody, somebody) = (Browser::anonymous(&server), Browser::signed_in(&server, OWNER).await);
        let known = get(&nobody, "/device").await;
        for path in [
            "/device/", "/device/x/y", "/device/sessions/", "/device/sessions/x", "/device/sessions/x/y/z",
            "/device/assets/a/b", "/device/x/approve/", "/signin/", "/signin/x", "/device/%ff/%fe",
        ] {
            for (browser, language, title) in [(&nobody, "en", "Page not found"), (&somebody, "zh-CN", "页面不存在")] {
                let answer = Answer::to(browser.bare(Method::GET, path).header("accept-language", language)).await;
                assert_eq!(answer.status, 404, "{path}");
                assert!(answer.text.contains(title), "{path}: {}", answer.text);
                assert_eq!(answer.text.contains(OWNER), std::ptr::eq(browser, &raw const somebody), "{path}");
                for name in ["content-type", "content-security-policy", "referrer-policy", "x-frame-options", "cache-control"] {
                    assert_eq!(answer.header(name), known.header(name), "{path}: {name}");
                }
            }
            let answer = Answer::to(nobody.bare(Method::HEAD, path)).await;
            assert_eq!((answer.status, answer.text.as_str()), (404, ""), "{path}");
            // Forms lead nowhere else, so this is a program.
            let answer = Answer::to(somebody.request(Method::POST, path)).await;
            assert_eq!(answer.outcome(), (404, "not_found".to_owned()), "{path}");
        }
        let hostile = get(&nobody, "/device/%22%3E%3Cscript%3E/x").await;
        assert!(!hostile.text.contains("\"><script>"), "{}", hostile.text);
    }

    async fn a_link_with_a_wrong_code_is_answered_without_it(server: TestServer) {
        let nobody = Browser::anonymous(&server);
        let answer = get(&nobody, "/device?user_code=TYPO-TYPO").await;
        assert_eq!(sent_to(&answer), (303, "/device?malformed=yes"));
        let told = get(&nobody, "/device?malformed=TYPO-TYPO").await;
        assert_eq!(told.status, 200);
        assert!(told.text.contains("That is not a valid code.") && !told.text.contains("TYPO"), "{}", told.text);
    }

    async fn a_sign_in_that_another_tab_has_made_leads_on(server: TestServer) {
        let page = device_page(&server).await;
        let somebody = Browser::signed_in(&server, OWNER).await;
        let send = |browser: &Browser, email: &str, target: &str| {
            let form = [("signin_token", "used up"), ("return", target), ("email", email), ("password", PASSWORD)];
            Answer::to(browser.bare(Method::POST, "/signin").form(&form))
        };
        for (target, expected) in [
            (page.as_str(), page.as_str()),
            ("/device/sessions", "/device/sessions"),
            ("https://evil.example/device/sessions", "/device"),
        ] {
            let answer = send(&somebody, &OWNER.to_uppercase(), target).await;
            assert_eq!(sent_to(&answer), (303, expected));
            assert_eq!(answer.cookies(), Vec::<&str>::new(), "nothing changes");
        }
        assert_eq!(send(&somebody, MEMBER, &page).await.status, 403, "somebody else has to sign in");
        assert_eq!(send(&Browser::anonymous(&server), OWNER, &page).await.status, 403);
    }

    async fn the_current_session_is_marked_where_it_is_ones_own(server: TestServer) {
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
        assert_eq!(sent_to(&sent), (303, format!("/signin?return={}", list(&own.token_id)).as_str()));
        let past_the_end = get(&browser, &format!("{}&page=9", list(&own.token_id))).await;
        assert_eq!(past_the_end.header("location"), format!("{}&page=1", list(&own.token_id)));
    }
}
