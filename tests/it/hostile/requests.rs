//! Malformed request lines and headers.

use super::{MARKER, assert_serves, raw, status, status_of};
use crate::support::{Answer, Bearer, Stores, TestServer, logs::Logs, server::OWNER};

on_both_stores!(
    invalid_verbs_and_targets_return_4xx,
    head_returns_the_status_of_get_without_a_body,
    contradictory_and_malformed_headers_return_400,
    missing_and_repeated_host_return_400,
    line_feeds_in_bodies_are_accepted,
    unknown_methods_are_not_logged,
    too_large_headers_return_431,
    malformed_credentials_return_401
);

async fn invalid_verbs_and_targets_return_4xx(stores: Stores) {
    let server = TestServer::start(stores).await;
    for (line, expected) in [
        ("FOO /openapi/v1/account HTTP/1.1", 405),
        ("TRACE /openapi/v1/account HTTP/1.1", 405),
        ("get /openapi/v1/account HTTP/1.1", 405),
        ("FOO /nothing HTTP/1.1", 404),
        ("GET /openapi/v1/%00 HTTP/1.1", 404),
        ("GET /openapi/v1/%ff%fe HTTP/1.1", 404),
        ("GET /openapi/v1/../../etc/passwd HTTP/1.1", 404),
        ("OPTIONS * HTTP/1.1", 404),
        ("CONNECT example.com:443 HTTP/1.1", 404),
        ("GET  /openapi/v1/_health HTTP/1.1", 400),
        ("GET /openapi/v1/_health", 400),
        ("GET openapi/v1/_health HTTP/1.1", 400),
        ("\u{1}\u{2}\u{3}", 400),
    ] {
        let found = status(&server, line, &[], b"").await;
        assert_eq!(found, expected, "{line:?}");
    }
    let long = format!("GET /openapi/v1/{} HTTP/1.1", "a".repeat(40_000));
    assert!(matches!(status(&server, &long, &[], b"").await, 414 | 431));
    let long = format!("GET /openapi/v1/account/sessions?{} HTTP/1.1", "page=1&".repeat(4_000));
    assert_eq!(status(&server, &long, &[], b"").await, 401, "the credential is checked first");
    assert_serves(&server).await;
}

async fn head_returns_the_status_of_get_without_a_body(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    for (path, expected) in [
        ("/openapi/v1/_health", 200),
        ("/openapi/v1/account", 401),
        ("/openapi/v1/oauth/device/code", 405),
        ("/nothing", 404),
        ("/signin", 200),
        ("/.well-known/oauth-authorization-server", 200),
    ] {
        let answer =
            raw(&server, format!("HEAD {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await;
        assert_eq!(status_of(&answer), expected, "{path}");
        assert!(answer.ends_with(b"\r\n\r\n"), "{path} has a body");
    }
    let answer = Answer::to(bearer.request(reqwest::Method::HEAD, "/openapi/v1/account")).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
}

async fn missing_and_repeated_host_return_400(stores: Stores) {
    let server = TestServer::start(stores).await;
    for (head, expected) in [
        ("GET /openapi/v1/_health HTTP/1.1\r\n", 400),
        ("GET /openapi/v1/_health HTTP/1.1\r\nhost: x\r\nHost: x\r\n", 400),
        ("GET /openapi/v1/_health HTTP/1.1\r\nhost: a b\r\n", 400),
        ("GET /openapi/v1/_health HTTP/1.1\r\nhost: user@x\r\n", 400),
        ("GET /openapi/v1/_health HTTP/1.1\r\nhost: x/y\r\n", 400),
        ("GET /openapi/v1/_health HTTP/1.0\r\n", 200),
        ("GET /openapi/v1/_health HTTP/1.1\r\nhost: x:1\r\n", 200),
        ("GET /openapi/v1/_health HTTP/1.1\r\nhost: [::1]:1\r\n", 200),
    ] {
        let request = format!("{head}connection: close\r\n\r\n");
        assert_eq!(status_of(&raw(&server, request.as_bytes()).await), expected, "{head:?}");
    }
    assert_serves(&server).await;
}

async fn line_feeds_in_bodies_are_accepted(stores: Stores) {
    let server = TestServer::start(stores).await;
    let body = "{\n\n\"client_id\":\n\"difyctl\"\n}\n";
    let post = "POST /openapi/v1/oauth/device/code HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let fixed = format!("{post}content-length: {}\r\n\r\n{body}", body.len());
    let chunked = format!(
        "{post}transfer-encoding: chunked\r\n\r\n3\r\n{}\r\n{:x};x=y\r\n{}\r\n0\r\nx-trailer: z\r\n\r\n",
        &body[..3],
        body.len() - 3,
        &body[3..]
    );
    let last = "GET /openapi/v1/_health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answers = raw(&server, [fixed.as_str(), &chunked, &fixed, last].concat().as_bytes()).await;
    let answers = String::from_utf8_lossy(&answers);
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 4, "{answers}");
    assert_eq!(answers.matches("\"device_code\"").count(), 3, "{answers}");
}

async fn unknown_methods_are_not_logged(stores: Stores) {
    let server = TestServer::start(stores).await;
    let logs = Logs::capture();
    assert_eq!(status(&server, &format!("{MARKER} /openapi/v1/account HTTP/1.1"), &[], b"").await, 405);
    assert!(!logs.lines().contains(MARKER) && logs.matching(&[MARKER]).is_empty());
    assert!(logs.lines().contains("_OTHER"), "{}", logs.lines());
}

async fn contradictory_and_malformed_headers_return_400(stores: Stores) {
    let server = TestServer::start(stores).await;
    for headers in [
        &[b"content-length: 5".as_slice(), b"content-length: 6"][..],
        &[b"content-length: five"],
        &[b"content-length: -1"],
        &[b"content-length: +5"],
        &[b"content-length: 99999999999999999999999"],
        &[b"transfer-encoding: gzip"],
        &[b"transfer-encoding: chunked, gzip"],
        &[b"content-type : application/json"],
        &[b"a header"],
        &[b": empty"],
        &[b"x\0y: 1"],
        &[b"x-value: a\0b"],
        &[b"x-value: a\rb"],
    ] {
        let shown = headers.iter().map(|header| String::from_utf8_lossy(header)).collect::<Vec<_>>();
        let found = status(&server, "POST /openapi/v1/oauth/device/code HTTP/1.1", headers, b"hello").await;
        assert_eq!(found, 400, "{shown:?}");
    }
    let twice = [
        b"content-type: application/json".as_slice(),
        b"content-type: application/x-www-form-urlencoded",
        b"content-length: 2",
    ];
    assert_eq!(status(&server, "POST /openapi/v1/oauth/device/code HTTP/1.1", &twice, b"{}").await, 400);
    assert_serves(&server).await;
}

async fn too_large_headers_return_431(stores: Stores) {
    let server = TestServer::start(stores).await;
    let long = format!("x-long: {}", "x".repeat(40_000));
    assert_eq!(status(&server, "GET /openapi/v1/_health HTTP/1.1", &[long.as_bytes()], b"").await, 431);
    let many: Vec<_> = (0..500).map(|nth| format!("x-{nth}: 1")).collect();
    let many: Vec<_> = many.iter().map(String::as_bytes).collect();
    assert_eq!(status(&server, "GET /openapi/v1/_health HTTP/1.1", &many, b"").await, 431);
    assert_serves(&server).await;
}

async fn malformed_credentials_return_401(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let account = "GET /openapi/v1/account HTTP/1.1";
    let long = format!("authorization: Bearer dfoa_{}", "a".repeat(20_000));
    let long_cookie = format!("cookie: access_token={}", "a".repeat(20_000));
    for header in [
        b"authorization: Bearer dfoa_\xff\xfe".as_slice(),
        b"authorization: Bearer",
        b"authorization: Bearer  ",
        "authorization: Bearer dfoa_ａｂｃ".as_bytes(),
        b"authorization: \xff",
        b"authorization: bearer\tdfoa_x",
        long.as_bytes(),
    ] {
        assert_eq!(status(&server, account, &[header], b"").await, 401, "{:.40}", String::from_utf8_lossy(header));
    }
    for header in [
        b"cookie: access_token=\xff\xfe".as_slice(),
        b"cookie: access_token",
        b"cookie: =;=;;;",
        b"cookie: access_token=a.b.c",
        b"cookie: access_token=eyJhbGciOiJub25lIn0.e30.",
        b"cookie: access_token=..",
        long_cookie.as_bytes(),
    ] {
        let found = status(&server, "GET /console/api/account/profile HTTP/1.1", &[header], b"").await;
        assert_eq!(found, 401, "{:.40}", String::from_utf8_lossy(header));
    }
    for header in [
        b"x-forwarded-for: \xff, ,,, 1".as_slice(),
        b"user-agent: \xff\xfe",
        b"accept-language: ;;q=\xff",
        b"traceparent: 00-\xff",
    ] {
        for line in ["GET /openapi/v1/_health HTTP/1.1", "GET /signin HTTP/1.1"] {
            assert_eq!(status(&server, line, &[header], b"").await, 200, "{:.40}", String::from_utf8_lossy(header));
        }
    }
}
