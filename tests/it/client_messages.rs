//! Messages and hints name the sign-in command of the client that sent the request.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer,
    server::{OWNER, no_limits},
};

const ACCOUNT: &str = "/openapi/v1/account";
/// difyctl has a command without a setting, and `silent` has none.
const CLIENTS: [&str; 3] = ["difyctl", "acme-cli", "silent"];
/// User agents and the client that each names.
const AGENTS: [(Option<&str>, &str); 5] = [
    (Some("difyctl/1.18.0 (linux; x64)"), "difyctl"),
    (Some("acme-cli/2.0"), "acme-cli"),
    (Some("silent/1.0"), "silent"),
    (Some("curl/8.5.0"), "unknown"),
    (None, "unknown"),
];

on_both_stores!(
    polls_name_the_command_of_the_client,
    expired_tokens_name_the_command_of_their_client,
    other_bearer_errors_name_the_command_of_the_user_agent,
    decisions_about_unknown_codes_name_no_client,
);

async fn start(stores: Stores) -> TestServer {
    let limits = no_limits();
    let variables = [
        ("OPENAPI_KNOWN_CLIENT_IDS", "difyctl,acme-cli,silent"),
        ("OPENAPI_CLIENT_COMMANDS", "acme-cli=acme login"),
        ("OAUTH_TTL_DAYS", "1"),
        ("OPENAPI_RATE_LIMITS", limits.as_str()),
    ];
    TestServer::start_with(stores, &variables).await
}

fn command(server: &TestServer, client: &str) -> Option<String> {
    match client {
        "difyctl" => Some(format!("difyctl auth login --host {} --insecure", server.url)),
        "acme-cli" => Some("acme login".to_owned()),
        _ => None,
    }
}

async fn error_of(request: RequestBuilder, agent: Option<&str>) -> Value {
    let request = match agent {
        Some(agent) => request.header("user-agent", agent),
        None => request,
    };
    let answer = Answer::to(request).await;
    assert_eq!(answer.status, 401, "{}", answer.text);
    answer.json()
}

async fn polls_name_the_command_of_the_client(stores: Stores) {
    let server = start(stores).await;
    for client in CLIENTS.into_iter().chain(["elsewhere"]) {
        let body = json!({"client_id": client, "device_code": "dc_unknown"});
        let answer = Device::poll_with(&server, &body).await.json();
        let again = match command(&server, client) {
            Some(command) => format!("Run `{command}` for a new one."),
            None => "Sign in again for a new code.".to_owned(),
        };
        assert_eq!(answer["error"], "expired_token");
        assert_eq!(answer["error_description"], format!("This code is no longer valid. {again}"), "{client}");
    }
}

async fn expired_tokens_name_the_command_of_their_client(stores: Stores) {
    let server = start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let mut bearers = Vec::new();
    for client in CLIENTS {
        let device = Device::start_as(&server, client, "laptop").await;
        assert_eq!(browser.approve(&device.user_code).await.0, 200);
        let (_, token) = device.poll().await;
        let bearer = Bearer::with_token(&server, token["token"].as_str().unwrap(), "");
        assert_eq!(bearer.get(ACCOUNT).await.0, 200);
        bearers.push((client, bearer));
    }
    server.advance(86_400);
    for (client, bearer) in bearers {
        // The client of the token counts more than the program that sends it.
        let body = error_of(bearer.request(Method::GET, ACCOUNT), Some("difyctl/1.18.0")).await;
        let hint = match command(&server, client) {
            Some(command) => format!("Sign in again with `{command}`."),
            None => "Sign in again to get a new token.".to_owned(),
        };
        assert_eq!((&body["code"], &body["hint"]), (&json!("bearer_expired"), &json!(hint)), "{client}");
        // Its hash is deleted, so the client is no longer known.
        let body = error_of(bearer.request(Method::GET, ACCOUNT), None).await;
        assert_eq!(body["hint"], "Sign in again to get a new token.");
    }
}

async fn other_bearer_errors_name_the_command_of_the_user_agent(stores: Stores) {
    let server = start(stores).await;
    let unknown = format!("dfoa_{}", "x".repeat(43));
    let cases = [
        (
            None,
            "bearer_missing",
            "Send `Authorization: Bearer dfoa_…`; get a token with `COMMAND`.",
            "Send `Authorization: Bearer dfoa_…`; POST /openapi/v1/oauth/device/code starts a sign-in.",
        ),
        (
            Some("app-123"),
            "invalid_prefix",
            "App keys belong to /v1/*. Sign in with `COMMAND` for /openapi/v1/*.",
            "App keys belong to /v1/*. Sign in for a token for /openapi/v1/*.",
        ),
        (
            Some("dfp_123"),
            "unknown_token_prefix",
            "Sign in with `COMMAND` to get a token.",
            "Sign in to get a token; it begins with dfoa_ or dfoe_.",
        ),
        (Some("dfoa_short"), "bearer_invalid", "Sign in again with `COMMAND`.", "Sign in again to get a new token."),
        (
            Some(unknown.as_str()),
            "bearer_invalid",
            "Sign in again with `COMMAND`.",
            "Sign in again to get a new token.",
        ),
    ];
    for (token, code, with_command, without) in cases {
        for (agent, client) in AGENTS {
            let request = reqwest::Client::new().get(server.at(ACCOUNT));
            let request = match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            let body = error_of(request, agent).await;
            let hint = match command(&server, client) {
                Some(command) => with_command.replace("COMMAND", &command),
                None => without.to_owned(),
            };
            assert_eq!((&body["code"], &body["hint"]), (&json!(code), &json!(hint)), "{token:?} {agent:?}");
        }
    }
}

async fn decisions_about_unknown_codes_name_no_client(stores: Stores) {
    let server = start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    for (status, body) in [browser.approve("WXYV-3456").await, browser.deny("WXYV-3456").await] {
        assert_eq!((status, &body["hint"]), (404, &json!("Sign in again for a new code.")), "{body}");
    }
}
