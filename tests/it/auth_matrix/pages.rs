//! The pages under each browser credential. The rows are the pages' own policies, so none is missing.

use dify_openapi::testing::{
    http::pages,
    pipeline::{Credential, Policy},
};
use reqwest::{Method, RequestBuilder};

use crate::support::{
    Answer, Bearer, Browser, Stores, TestServer,
    server::{OWNER, no_limits},
};

const ZERO: &str = "00000000-0000-0000-0000-000000000000";

fn path(policy: &Policy) -> String {
    let path = policy.http.unwrap().path;
    path.replace("{id}", ZERO)
        .replace("{handle}", "nothing")
        .replace("{outcome}", "approved")
        .replace("{file}", "nothing")
        .replace("{organization}/{plugin}/{provider}", "langgenius/gmail/gmail")
}

fn is_post(policy: &Policy) -> bool {
    policy.http.unwrap().verb == "POST"
}

fn as_form(request: RequestBuilder, csrf: &str) -> RequestBuilder {
    request.form(&[("csrf_token", csrf)])
}

/// Whether the response requires a sign-in.
fn asks_to_sign_in(answer: &Answer) -> bool {
    let location = answer.header("location");
    matches!(answer.status, 401 | 403)
        || (answer.status == 303 && (location.starts_with("/signin") || location.contains("notice=no_session.")))
}

on_every_database!(every_page_accepts_the_credentials_of_its_policy);

async fn every_page_accepts_the_credentials_of_its_policy(stores: Stores) {
    let limits = no_limits();
    let variables =
        [("OPENAPI_RATE_LIMITS", limits.as_str()), ("ENTERPRISE_ENABLED", "true"), ("API_REFERENCE", "true")];
    let server = TestServer::start_with(stores, &variables).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let mut seen = 0;
    for policy in pages::policies() {
        seen += 1;
        let (name, path) = (policy.method, path(policy));
        let method: Method = policy.http.unwrap().verb.parse().unwrap();
        let browser = Browser::signed_in(&server, OWNER).await;
        let csrf = browser.cookies["csrf_token"].clone();
        let cookie = || browser.bare(method.clone(), &path);
        let nobody = || Browser::anonymous(&server).bare(method.clone(), &path);
        let console = policy.credential == Credential::ConsoleSession;
        if policy.credential == Credential::ApprovalGrant {
            for request in [nobody(), cookie(), bearer.request(method.clone(), &path)] {
                let request = if is_post(policy) { as_form(request, &csrf) } else { request };
                assert_eq!(Answer::to(request).await.status, 401, "{name} without the cookie of an approval");
            }
            continue;
        }
        if console {
            for request in [nobody(), bearer.request(method.clone(), &path)] {
                let request = if is_post(policy) { as_form(request, "") } else { request };
                // Does not follow redirects.
                let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
                let answer = client.execute(request.build().unwrap()).await.unwrap();
                let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
                let answer = Answer { status, headers, text: String::new() };
                assert!(asks_to_sign_in(&answer), "{name} without a session: {status} {}", answer.header("location"));
            }
        }
        if is_post(policy) {
            let foreign = as_form(cookie(), &csrf).header("origin", "https://evil.example");
            assert_eq!(Answer::to(foreign).await.status, 403, "{name} from a foreign origin");
        }
        if is_post(policy) && console {
            for (case, request) in
                [("without a CSRF token", as_form(cookie(), "")), ("with another", as_form(cookie(), "x"))]
            {
                assert_eq!(Answer::to(request).await.status, 403, "{name} {case}");
            }
        }
        let own = if is_post(policy) { as_form(cookie(), &csrf).header("origin", &server.url) } else { cookie() };
        let answer = Answer::to(own).await;
        // A public form may still lack the token of its own page.
        assert!(answer.header("content-type") != "application/json", "{name}: {}", answer.text);
        assert!(answer.status < 500 && (!console || answer.status != 403), "{name}: {} {}", answer.status, answer.text);
    }
    assert!(seen >= 15, "{seen} pages");
}
