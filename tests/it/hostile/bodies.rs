//! Bodies of every method that accepts one.

use dify_openapi::testing::{
    domain::SubjectType,
    pipeline::{Credential, Policy},
};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use uuid::Uuid;

use super::{MARKER, raw, status, status_of};
use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer,
    database::external_token,
    logs::Logs,
    server::{OWNER, SERVICE_KEY, no_limits},
};

/// A server of the Enterprise edition, which has every method, without limits.
async fn start(stores: Stores) -> TestServer {
    let variables = [("OPENAPI_RATE_LIMITS", &*no_limits()), ("ENTERPRISE_ENABLED", "true")];
    TestServer::start_with(stores, &variables).await
}

/// The methods that accept a message as their body, with their paths, except that for the cookie of an approval.
fn methods_with_body() -> impl Iterator<Item = (&'static Policy, &'static str)> {
    let policies = Policy::all().filter(|policy| policy.credential != Credential::ApprovalGrant && !policy.uploads);
    policies.filter_map(|policy| {
        let has_body = |verb: &str| matches!(verb, "POST" | "PUT" | "PATCH");
        Some((policy, policy.http.filter(|http| has_body(http.verb))?.path))
    })
}

/// A request with a valid credential, so that its body is read.
async fn authorized_request(server: &TestServer, policy: &Policy, path: &str) -> RequestBuilder {
    let method: Method = policy.http.unwrap().verb.parse().unwrap();
    match policy.credential {
        Credential::Service => {
            let request = reqwest::Client::new().request(method, server.inner(path));
            request.header("enterprise-api-secret-key", SERVICE_KEY)
        }
        Credential::Bearer if policy.subjects == [SubjectType::ExternalSso] => {
            let (token, _) = external_token(server, "eve@idp.example", &Uuid::new_v4().to_string()).await;
            reqwest::Client::new().request(method, server.at(path)).bearer_auth(token)
        }
        Credential::Bearer => Bearer::sign_in(server, OWNER, "hostile").await.request(method, path),
        Credential::ConsoleSession => Browser::signed_in(server, OWNER).await.request(method, path),
        _ => reqwest::Client::new().request(method, server.at(path)),
    }
}

on_both_stores!(
    bodies_that_are_not_objects_are_rejected,
    forms_that_are_not_utf8_are_rejected,
    json_lists_and_numbers_are_rejected,
    members_of_a_wrong_type_are_rejected,
    large_bodies_are_rejected_before_they_are_read,
    every_method_rejects_a_large_content_length,
    compressed_bodies_return_415,
    malformed_forms_are_rejected
);

async fn bodies_that_are_not_objects_are_rejected(stores: Stores) {
    let server = start(stores).await;
    let logs = Logs::capture();
    let deep =
        |open: &str, close: &str| format!("{}\"{MARKER}\"{}", open.repeat(1_000), close.repeat(1_000)).into_bytes();
    let bodies: [Vec<u8>; 12] = [
        format!("[\"{MARKER}\"]").into(),
        format!("[{{\"client_id\": \"{MARKER}\"}}]").into(),
        format!("\"{MARKER}\"").into(),
        b"null".to_vec(),
        b"NaN".to_vec(),
        b"-0".to_vec(),
        format!("{{\"a\": \"{MARKER}\",}}").into(),
        format!("client_id={MARKER}").into(),
        deep("[", "]"),
        deep("{\"a\":", "}"),
        [b"{\"", MARKER.as_bytes(), b"\xff\": 1}"].concat(),
        [b"{\"client_id\": \"\xc0\xaf", MARKER.as_bytes(), b"\"}"].concat(),
    ];
    for (policy, path) in methods_with_body() {
        let request = authorized_request(&server, policy, path).await.header("content-type", "application/json");
        for body in &bodies {
            let answer = Answer::to(request.try_clone().unwrap().body(body.clone())).await;
            let shown = String::from_utf8_lossy(body);
            // An unknown member is skipped without reading its nested value.
            let ignored = answer.status == 200 && shown.starts_with("{\"a\":{");
            assert!(ignored || (400..500).contains(&answer.status), "{path} {shown:.60}: {}", answer.status);
            assert!(!answer.text.contains(MARKER), "{path}: {}", answer.text);
        }
    }
    assert!(!logs.lines().contains(MARKER) && logs.matching(&[MARKER]).is_empty());
}

async fn forms_that_are_not_utf8_are_rejected(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let client = reqwest::Client::new();
    for path in ["/openapi/v1/oauth/device/code", "/openapi/v1/oauth/device/token", "/openapi/v1/oauth/revoke"] {
        for hostile in [&b"device_label=%ff"[..], b"device_label=\xff", b"%c0%af=1", b"token=%ed%a0%80"] {
            let body = [b"client_id=difyctl&", hostile].concat();
            let request = client.post(server.at(path)).header("content-type", "application/x-www-form-urlencoded");
            let answer = Answer::to(request.body(body)).await;
            assert_eq!(
                answer.json()["message"],
                "The form is not UTF-8 text.",
                "{path} {}: {}",
                answer.status,
                answer.text
            );
        }
    }
}

async fn json_lists_and_numbers_are_rejected(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    for body in [json!([1]), json!(["difyctl", "laptop"]), json!([[[]]]), json!(7)] {
        let answer = Device::request_codes(&server, &body).await;
        assert_eq!(
            (answer.status, &answer.json()["message"]),
            (400, &json!("The body must be a JSON object.")),
            "{body}"
        );
    }
}

async fn members_of_a_wrong_type_are_rejected(stores: Stores) {
    let server = start(stores).await;
    for value in [json!([MARKER]), json!({"a": MARKER}), json!(7), json!(1e300), json!(true)] {
        let members = [
            "client_id",
            "device_code",
            "user_code",
            "token",
            "email",
            "tenant_id",
            "query",
            "client_params",
            "enable_oauth_custom_client",
            "role",
            "mode",
            "yaml_content",
            "credentials",
            "name",
            "credential_id",
            "id",
        ];
        let body: serde_json::Map<_, _> = members.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
        for (policy, path) in methods_with_body() {
            let answer = Answer::to(authorized_request(&server, policy, path).await.json(&body)).await;
            // Some methods have no members, or those of the path, and one has an object only.
            let none = path.ends_with("/logout")
                || path.ends_with("confirm")
                || path.ends_with("/workspaces/current")
                || path.ends_with("/refresh-token")
                || (path.ends_with("/system-client") && value.is_object());
            assert!(answer.status == 400 || (none && answer.status < 500), "{path} {value}: {}", answer.status);
            assert!(!answer.text.contains(MARKER), "{path}: {}", answer.text);
        }
    }
}

async fn large_bodies_are_rejected_before_they_are_read(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    for path in [
        "/openapi/v1/oauth/device/code",
        "/openapi/v1/oauth/device/token",
        "/openapi/v1/oauth/revoke",
        "/console/api/login",
    ] {
        let line = format!("POST {path} HTTP/1.1");
        for length in ["10485760", "99999999999"] {
            let declared = format!("content-length: {length}");
            let declared = [b"content-type: application/json".as_slice(), declared.as_bytes()];
            assert_eq!(status(&server, &line, &declared, b"{").await, 413, "{path}");
        }
        // A chunked body without a declared length.
        let headers = "host: x\r\ntransfer-encoding: chunked\r\ncontent-type: application/json\r\nconnection: close";
        let mut endless = format!("{line}\r\n{headers}\r\n\r\n").into_bytes();
        for _ in 0..640 {
            endless.extend_from_slice(b"4000\r\n");
            endless.extend_from_slice(&[b' '; 0x4000]);
            endless.extend_from_slice(b"\r\n");
        }
        assert_eq!(status_of(&raw(&server, &endless).await), 413, "{path}");
    }
}

async fn every_method_rejects_a_large_content_length(stores: Stores) {
    let server = start(stores).await;
    for (policy, path) in methods_with_body().filter(|(policy, _)| !matches!(policy.credential, Credential::Service)) {
        let path = path.replace("{id}", "7f000001-0000-4000-8000-000000000000");
        let request = authorized_request(&server, policy, &path).await.build().unwrap();
        let mut headers: Vec<Vec<u8>> =
            vec![b"content-type: application/json".to_vec(), b"content-length: 16777216".to_vec()];
        headers.extend(
            request.headers().iter().map(|(name, value)| [name.as_str().as_bytes(), b": ", value.as_bytes()].concat()),
        );
        let headers: Vec<&[u8]> = headers.iter().map(Vec::as_slice).collect();
        let line = format!("{} {path} HTTP/1.1", policy.http.unwrap().verb);
        assert_eq!(status(&server, &line, &headers, b"{").await, 413, "{path}");
    }
}

async fn compressed_bodies_return_415(stores: Stores) {
    let server = TestServer::start(stores).await;
    // The beginning of a gzip bomb of one gigabyte. Compressed bodies are never decoded.
    let bomb = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0xff; 512]].concat();
    for encoding in ["gzip", "deflate", "br", "zstd", "gzip, gzip, gzip"] {
        for kind in ["application/json", "application/x-www-form-urlencoded"] {
            let request = reqwest::Client::new().post(server.at("/openapi/v1/oauth/device/code"));
            let request = request.header("content-type", kind).header("content-encoding", encoding);
            let answer = Answer::to(request.body(bomb.clone())).await;
            assert_eq!(answer.outcome(), (415, "unsupported_media_type".to_owned()), "{encoding} {kind}");
        }
    }
}

async fn malformed_forms_are_rejected(stores: Stores) {
    let server = TestServer::start_without_limits(stores).await;
    let many = "a=1&".repeat(10_000);
    let forms =
        ["%", "%zz=%", "%00=%00", "client_id=%ff%fe", "=", "&&&&", "client_id[]=difyctl", "client_id=difyctl\0", &many];
    for path in [
        "/openapi/v1/oauth/device/code",
        "/openapi/v1/oauth/device/token",
        "/openapi/v1/oauth/revoke",
        "/signin",
        "/device",
    ] {
        for form in forms {
            // A client for each form: the server closes the connection of a body that it does not read to the end.
            let client = reqwest::Client::builder().cookie_store(true).build().unwrap();
            let request = client.post(server.at(path)).header("content-type", "application/x-www-form-urlencoded");
            let answer = Answer::to(request.body(form.to_owned())).await;
            // The forms of pages lead to the page with an alert for this browser.
            let explained = answer.status == 200 && answer.text.contains("role=\"alert\"");
            assert!((400..500).contains(&answer.status) || explained, "{path} {form:.20}: {}", answer.status);
        }
    }
}
