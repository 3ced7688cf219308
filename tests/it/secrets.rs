//! The whole life of a session with everything captured: no issued secret appears in a log line, span, metric, Redis
//! entry or row.

mod single_sign_on;

use base64::Engine as _;
use reqwest::Method;
use serde_json::json;
use sha2::Digest as _;

use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer, database,
    grpc::{Clients, channel, with_bearer},
    logs::Logs,
    server::{MEMBER, OWNER, PASSWORD, SECRET_KEY, SERVICE_KEY},
};

/// The secrets to search for, by name.
#[derive(Default)]
struct Issued(Vec<(String, String)>);

impl Issued {
    fn add(&mut self, name: &str, secret: &str) {
        assert!(secret.len() >= 8, "{name} is too short to look for");
        self.0.push((name.to_owned(), secret.to_owned()));
    }

    fn add_cookies(&mut self, browser: &Browser) {
        for (name, value) in &browser.cookies {
            self.add(name, value);
            // A JWT without its signature is not a secret; the signature is.
            if let Some((_, signature)) = value.rsplit_once('.') {
                self.add(&format!("signature of {name}"), signature);
            }
        }
    }

    fn add_device(&mut self, device: &Device) {
        self.add("device_code", &device.device_code);
        self.add("user_code", &device.user_code);
        self.add("user_code without its hyphen", &device.user_code.replace('-', ""));
    }

    fn add_token(&mut self, token: &str) {
        self.add("token", token);
        self.add("token's body", &token[9..]);
    }

    fn assert_absent(&self, place: &str, text: &str) {
        for (name, secret) in &self.0 {
            if let Some(at) = text.find(secret.as_str()) {
                let from = text[..at].rfind('\n').map_or(0, |end| end + 1);
                let around: String = text[from..].chars().take(200).collect();
                panic!("{name} appears in {place}: {around}");
            }
        }
    }
}

fn hash(token: &str) -> String {
    format!("{:064x}", sha2::Sha256::digest(token.as_bytes()))
}

/// Searches all outputs and stores.
async fn check(server: &TestServer, logs: &Logs, step: &str, issued: &Issued, hashes: &[String]) {
    let events = logs.events().join("\n");
    assert!(events.len() > 100, "events were captured after {step}");
    let metrics = Answer::to(reqwest::Client::new().get(server.admin("/metrics"))).await.text;
    assert!(metrics.contains("# TYPE"), "{metrics:.200}");
    let redis = database::dump_redis(server).await;
    let rows = database::dump(server).await;
    let lines = logs.lines();
    for (place, text) in
        [("events and spans", &events), ("log lines", &lines), ("metrics", &metrics), ("Redis", &redis), ("SQL", &rows)]
    {
        issued.assert_absent(&format!("{place} after {step}"), text);
    }
    for hash in hashes {
        for (place, text) in [("events and spans", &events), ("log lines", &lines), ("metrics", &metrics)] {
            assert!(!text.contains(hash.as_str()), "a token's hash appears in {place} after {step}");
        }
        // The hash may be part of a cache key and of its own columns, nowhere else.
        for line in rows.lines().filter(|line| line.contains(hash.as_str())) {
            let is_expected = line.starts_with("oauth_access_tokens:") || line.starts_with("openapi_sessions:");
            assert!(is_expected && line.matches(hash.as_str()).count() == 1, "{step}: {line}");
        }
        for line in redis.lines() {
            let (_, value) = line.split_once(" = ").unwrap_or(("", line));
            assert!(!value.contains(hash.as_str()), "{step}: {line}");
        }
    }
}

on_every_database!(secrets_never_appear_in_logs_metrics_or_stores);

async fn secrets_never_appear_in_logs_metrics_or_stores(stores: Stores) {
    let server = TestServer::start(stores).await;
    let logs = Logs::capture();
    let mut issued = Issued::default();
    issued.add("SECRET_KEY", SECRET_KEY);
    issued.add("INNER_API_KEY", SERVICE_KEY);
    issued.add("password", PASSWORD);
    issued.add("password in base64", &base64::engine::general_purpose::STANDARD.encode(PASSWORD));
    issued.add("wrong password", "a-wrong-password-1");
    let mut hashes = Vec::new();

    // Login: wrong, correct, refreshed.
    assert_eq!(Browser::anonymous(&server).login(OWNER, "a-wrong-password-1").await.status, 401);
    let mut browser = Browser::signed_in(&server, OWNER).await;
    issued.add_cookies(&browser);
    let refreshed = browser.refresh().await;
    browser.take_cookies(&refreshed.headers);
    issued.add_cookies(&browser);
    check(&server, &logs, "signing in", &issued, &hashes).await;

    // Codes: requested, polled, looked up, guessed.
    let device = Device::start(&server, "laptop").await;
    issued.add_device(&device);
    assert_eq!(device.poll_error().await, "authorization_pending");
    assert_eq!(device.poll_error().await, "slow_down");
    let path = format!("/openapi/v1/oauth/device/lookup?user_code={}", device.user_code);
    assert_eq!(Answer::to(browser.request(Method::GET, &path)).await.status, 200);
    issued.add("guessed code", "3333-4444");
    assert_eq!(browser.approve("3333-4444").await.0, 404);
    let page = Answer::to(browser.request(Method::GET, &format!("/device?user_code={}", device.user_code))).await;
    assert_eq!(page.status, 303, "the code is removed from the URL");
    assert!(!page.header("location").contains(&device.user_code));
    assert_eq!(Answer::to(browser.request(Method::GET, page.header("location"))).await.status, 200);
    let form = [("user_code", device.user_code.as_str())];
    let page = Answer::to(browser.bare(Method::POST, "/device").form(&form)).await;
    assert!(!page.header("location").contains(&device.user_code));
    assert_eq!(Answer::to(browser.request(Method::GET, page.header("location"))).await.status, 200);
    check(&server, &logs, "asking for codes", &issued, &hashes).await;

    // Approved and not yet collected: the token is stored encrypted.
    assert_eq!(browser.approve(&device.user_code).await.0, 200);
    check(&server, &logs, "approving", &issued, &hashes).await;

    // Collected and used, over JSON and gRPC.
    server.advance(30);
    let (status, body) = device.poll().await;
    assert_eq!(status, 200, "{body}");
    let bearer = Bearer::with_token(&server, body["token"].as_str().unwrap(), body["token_id"].as_str().unwrap());
    issued.add_token(&bearer.token);
    hashes.push(hash(&bearer.token));
    for path in ["/openapi/v1/account", "/openapi/v1/account/sessions", "/openapi/v1/workspaces"] {
        assert_eq!(bearer.get(path).await.0, 200);
    }
    let mut clients = Clients::on(channel(&server).await);
    let request = with_bearer(dify_openapi::testing::rpc::proto::GetAccountRequest {}, &bearer.token);
    clients.identity.get_account(request).await.unwrap();
    check(&server, &logs, "using the token", &issued, &hashes).await;

    // Secrets in places where they do not belong.
    let client = reqwest::Client::new();
    let queried = client.get(server.at(&format!("/openapi/v1/account?access_token={}", bearer.token)));
    assert_eq!(Answer::to(queried).await.status, 401);
    let in_path = client.get(server.at(&format!("/openapi/v1/workspaces/{}", bearer.token))).bearer_auth(&bearer.token);
    assert_eq!(Answer::to(in_path).await.status, 404);
    let unrouted =
        client.get(server.at(&format!("/{}?code={}&state={}", bearer.token, device.user_code, device.device_code)));
    assert_eq!(Answer::to(unrouted).await.status, 404);
    let malformed = client.post(server.at("/openapi/v1/oauth/device/token")).header("content-type", "application/json");
    let malformed = malformed.body(format!("{{\"device_code\": [\"{}\"]}}", device.device_code));
    assert_eq!(Answer::to(malformed).await.status, 400);
    let agent = client
        .get(server.at("/openapi/v1/_health"))
        .header("user-agent", &bearer.token)
        .header("referer", &bearer.token);
    assert_eq!(Answer::to(agent).await.status, 200);
    check(&server, &logs, "misplacing secrets", &issued, &hashes).await;

    // Rotated, introspected, revoked, expired.
    let rotated = Bearer::sign_in_with(&server, &browser, "laptop").await;
    issued.add_token(&rotated.token);
    hashes.push(hash(&rotated.token));
    let introspect =
        client.post(server.inner("/openapi/v1/oauth/introspect")).header("enterprise-api-secret-key", SERVICE_KEY);
    assert_eq!(Answer::to(introspect.json(&json!({"token": rotated.token}))).await.json()["active"], true);
    let revoke = client.post(server.at("/openapi/v1/oauth/revoke")).form(&[("token", &rotated.token)]);
    assert_eq!(Answer::to(revoke).await.status, 200);
    check(&server, &logs, "rotating and revoking", &issued, &hashes).await;
    let expiring = Bearer::sign_in(&server, MEMBER, "laptop").await;
    issued.add_token(&expiring.token);
    hashes.push(hash(&expiring.token));
    server.advance(15 * 86_400);
    assert_eq!(expiring.get("/openapi/v1/account").await.1["code"], "bearer_expired");
    check(&server, &logs, "expiring", &issued, &hashes).await;

    // Proves that the capture works: spans, audit events and log lines exist.
    assert!(!logs.matching(&["span request"]).is_empty());
    assert!(!logs.matching(&["span fields", "/openapi/v1/account"]).is_empty());
    assert!(!logs.matching(&["audit", "oauth.device_flow_approved", &bearer.token_id]).is_empty());
    assert!(logs.lines().contains("oauth.device_flow_approved"));

    // An internal error, with its cause in the log.
    database::execute(&server, "ALTER TABLE accounts RENAME TO hidden").await;
    assert!(Browser::anonymous(&server).login(OWNER, PASSWORD).await.status >= 500);
    check(&server, &logs, "failing", &issued, &hashes).await;
}
