//! Cross-origin requests: allowed for listed origins, never on routes that accept a cookie.

use reqwest::Method;

use crate::support::{Answer, Bearer, Browser, Stores, TestServer, server::OWNER};

const LISTED_ORIGIN: &str = "https://app.example";
const LISTED_ORIGINS: (&str, &str) = ("OPENAPI_CORS_ALLOW_ORIGINS", "https://app.example,https://other.example");

async fn preflight(server: &TestServer, path: &str, origin: &str, method: &str) -> Answer {
    let request = reqwest::Client::new().request(Method::OPTIONS, server.at(path));
    let request = request.header("origin", origin).header("access-control-request-method", method);
    Answer::to(request.header("access-control-request-headers", "authorization,content-type")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_origin_may_read_bearer_and_public_routes() {
    let server = TestServer::start_with(Stores::Sqlite, &[LISTED_ORIGINS]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    for (path, expected) in
        [("/openapi/v1/account", 200), ("/openapi/v1/_health", 200), ("/openapi/v1/account/sessions?page=0", 422)]
    {
        let answer = Answer::to(bearer.request(Method::GET, path).header("origin", LISTED_ORIGIN)).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (expected, LISTED_ORIGIN), "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        assert!(answer.header("vary").to_lowercase().contains("origin"), "{path}: {}", answer.header("vary"));
    }
    let unknown =
        Answer::to(bearer.request(Method::GET, "/openapi/v1/account").header("origin", "https://evil.example")).await;
    assert_eq!((unknown.status, unknown.header("access-control-allow-origin")), (200, ""));
    assert!(unknown.header("vary").to_lowercase().contains("origin"));
}

/// A page of another site can send images and forms without reading the response, which is enough to consume a limit.
#[tokio::test(flavor = "multi_thread")]
async fn cross_site_requests_do_not_consume_rate_limits() {
    let few =
        [LISTED_ORIGINS, ("OPENAPI_RATE_LIMITS", "device_code=1/1h,device_token=1/1h,lookup=1/1h,user_code=1/1h")];
    let server = TestServer::start_with(Stores::Sqlite, &few).await;
    let client = reqwest::Client::new();
    let requests = [
        client.get(server.at("/openapi/v1/oauth/device/lookup?user_code=AAAA-AAAA")),
        client.post(server.at("/openapi/v1/oauth/device/code")).form(&[("client_id", "difyctl")]),
        client
            .post(server.at("/openapi/v1/oauth/device/token"))
            .form(&[("client_id", "difyctl"), ("device_code", "x")]),
    ];
    let outcome = async |request: &reqwest::RequestBuilder, headers: &[(&'static str, &'static str)]| {
        let request =
            headers.iter().fold(request.try_clone().unwrap(), |request, (name, value)| request.header(*name, *value));
        Answer::to(request).await.outcome()
    };
    let forbidden = (403, "csrf_mismatch".to_owned());
    for request in &requests {
        for _ in 0..3 {
            assert_eq!(outcome(request, &[("sec-fetch-site", "cross-site")]).await, forbidden);
            let evil = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
            assert_eq!(outcome(request, &evil).await, forbidden);
        }
        // Allowed callers are served, so nothing was consumed.
        let friend = [("sec-fetch-site", "cross-site"), ("origin", LISTED_ORIGIN)];
        let limited = ["csrf_mismatch", "rate_limited", "slow_down"];
        assert!(!limited.contains(&&*outcome(request, &friend).await.1));
        assert!(limited[1..].contains(&&*outcome(request, &[]).await.1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn preflight_lists_methods_headers_and_max_age() {
    let server = TestServer::start_with(Stores::Sqlite, &[LISTED_ORIGINS]).await;
    for (path, method) in [
        ("/openapi/v1/account", "GET"),
        ("/openapi/v1/account/sessions/self", "DELETE"),
        ("/openapi/v1/oauth/device/token", "POST"),
    ] {
        let answer = preflight(&server, path, LISTED_ORIGIN, method).await;
        assert!(matches!(answer.status, 200 | 204), "{path}: {}", answer.status);
        assert_eq!(answer.header("access-control-allow-origin"), LISTED_ORIGIN, "{path}");
        assert_eq!(answer.header("access-control-max-age"), "600");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        let headers = answer.header("access-control-allow-headers").to_lowercase();
        for name in ["authorization", "content-type", "x-csrf-token"] {
            assert!(headers.contains(name), "{headers}");
        }
        let methods = answer.header("access-control-allow-methods");
        for name in ["GET", "POST", "PATCH", "DELETE", "OPTIONS"] {
            assert!(methods.contains(name), "{methods}");
        }
        assert_eq!(
            preflight(&server, path, "https://evil.example", method).await.header("access-control-allow-origin"),
            "",
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cookie_routes_allow_no_origin() {
    let everyone = [("OPENAPI_CORS_ALLOW_ORIGINS", "*")];
    for variables in [[LISTED_ORIGINS], everyone] {
        let server = TestServer::start_with(Stores::Sqlite, &variables).await;
        let browser = Browser::signed_in(&server, OWNER).await;
        for (path, method) in [
            ("/openapi/v1/oauth/device/approve", "POST"),
            ("/openapi/v1/oauth/device/deny", "POST"),
            ("/console/api/login", "POST"),
            ("/console/api/logout", "POST"),
            ("/console/api/refresh-token", "POST"),
            ("/console/api/account/profile", "GET"),
            ("/console/api/workspaces", "GET"),
            ("/console/api/workspaces/switch", "POST"),
            ("/device", "GET"),
            ("/device/sessions", "GET"),
            ("/signin", "GET"),
        ] {
            let answer = preflight(&server, path, LISTED_ORIGIN, method).await;
            assert_eq!(answer.header("access-control-allow-origin"), "", "preflight of {path}");
            let method = method.parse().unwrap();
            let answer = Answer::to(browser.request(method, path).header("origin", LISTED_ORIGIN)).await;
            assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_origin_is_allowed_by_default() {
    let server = TestServer::start(Stores::Sqlite).await;
    let answer = preflight(&server, "/openapi/v1/account", LISTED_ORIGIN, "GET").await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
    let answer = Answer::to(
        Browser::anonymous(&server).bare(Method::GET, "/openapi/v1/_health").header("origin", LISTED_ORIGIN),
    )
    .await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn wildcard_allows_every_origin_without_credentials() {
    let server = TestServer::start_with(Stores::Sqlite, &[("OPENAPI_CORS_ALLOW_ORIGINS", "*")]).await;
    let answer = Answer::to(
        Browser::anonymous(&server).bare(Method::GET, "/openapi/v1/_health").header("origin", LISTED_ORIGIN),
    )
    .await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}
