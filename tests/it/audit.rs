//! The audit trail: each action writes its event, with its origin.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Bearer, Browser, Device, Stores, TestServer, apps,
    command::succeeded,
    database::{account_id, execute},
    logs::Logs,
    server::OWNER,
};

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_of_a_browser_and_a_device_is_audited_with_its_origin() {
    let logs = Logs::capture();
    let server = TestServer::start_with(Stores::Sqlite, &[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let bearer = Bearer::sign_in_with(&server, &browser, "audited laptop").await;
    let device = Device::start_from(&server, "audited desktop", "203.0.113.9").await;
    assert_eq!(browser.deny(&device.user_code).await.0, 200);
    assert_eq!(browser.approve("BCDF-BCDF").await.0, 404);
    assert!(browser.approve("no code").await.0 >= 400);
    let account = &account_id(&server, OWNER).await;
    let answer = browser.request(Method::POST, "/console/api/logout").send().await.unwrap();
    assert_eq!(answer.status(), 200);

    let id = format!("account_id={account}");
    for (count, parts) in [
        (1, &["auth.signed_in", "outcome=\"success\"", "client=127.0.0.1", "peer=127.0.0.1", &id, "request_id="][..]),
        (1, &["oauth.device_code_issued", "audited desktop", "client=203.0.113.9", "peer=127.0.0.1"]),
        (1, &["oauth.device_flow_denied", "audited desktop", "client=127.0.0.1", "device_ip=203.0.113.9", &id]),
        (1, &["oauth.token_delivered", &bearer.token_id, "client_id=\"difyctl\""]),
        (2, &["oauth.user_code_rejected", "outcome=\"failure\"", &id]),
        (1, &["auth.signed_out", "outcome=\"success\"", &id]),
    ] {
        assert_eq!(logs.matching(&[&["INFO audit"], parts].concat()).len(), count, "{parts:?}");
    }
    for secret in [&device.device_code, &device.user_code, &bearer.token] {
        assert!(logs.matching(&["INFO audit", secret]).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_events_have_the_trace_and_the_user_agent() {
    let logs = Logs::capture();
    let server = TestServer::start(Stores::Sqlite).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let request = browser.request(Method::POST, "/openapi/v1/oauth/device/approve").header("user-agent", "Forger/1.0");
    let forged = request.header("origin", "https://evil.example").json(&json!({})).send().await.unwrap();
    assert_eq!(forged.status(), 403);
    let id = forged.headers()["x-request-id"].to_str().unwrap();
    let lines = logs.lines();
    let mut events = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let event = events.find(|event| event["event"] == "auth.csrf_rejected" && event["request_id"] == id).unwrap();
    assert_eq!((event["outcome"].as_str(), event["user_agent"].as_str()), (Some("failure"), Some("Forger/1.0")));
    assert_eq!(event["method"], "DeviceFlowService.ApproveDevice");
    assert_eq!(event["trace_id"], id, "without an export the trace is named like the request");
    assert_eq!(event["client"], "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_audited_with_their_operator() {
    let server = TestServer::start(Stores::Sqlite).await;
    let workspace = apps::shared_workspace(&server).await;
    let log_of = |arguments: &[&str]| succeeded(server.command_with(&[("OPERATOR", "grace")], arguments)).1;
    let log = log_of(&["workspace", "create", "Secret Lab", "--owner", OWNER]);
    for part in ["operator.command", "workspace create", "operator=grace", "outcome=success"] {
        assert!(log.contains(part), "{part} in {log}");
    }
    assert!(!log.contains("Lab"), "{log}");
    assert_eq!(log_of(&["workspace", "list"]), "");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dsl/demo/greeting.yml");
    let import = ["app", "import", file, "--workspace", &workspace];
    assert!(!log_of(&import).contains("app.overwritten"));
    let log = log_of(&import);
    assert!(log.contains("app.overwritten") && log.contains(&workspace) && log.contains("operator=grace"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_commands_reach_the_log_of_one_replica() {
    let Some(stores) = Stores::servers().await else { return };
    let logs = Logs::capture();
    let server = TestServer::start(stores).await;
    let other = server.replica().await;
    let operator = format!("grace {}", uuid::Uuid::new_v4());
    let variables = [("OPERATOR", operator.as_str())];
    let (_, printed) = succeeded(server.command_with(&variables, &["workspace", "create", "Lab", "--owner", OWNER]));
    assert!(printed.contains("operator.command"), "{printed}");
    succeeded(server.command_with(&variables, &["token", "create", "--account", OWNER, "--label", "ci"]));
    succeeded(server.command_with(&variables, &["workspace", "list"]));
    for _ in 0..2 {
        let (one, two) = (server.running().app.jobs(), other.running().app.jobs());
        let (one, two) = tokio::join!(one.write_operator_events(), two.write_operator_events());
        one.and(two).unwrap();
    }
    let lines = logs.lines();
    let events = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let events: Vec<_> = events.filter(|event| event["operator"] == operator.as_str()).collect();
    let names: Vec<_> = events.iter().map(|event| (event["event"].as_str(), event["command"].as_str())).collect();
    let expected = [
        (Some("operator.command"), Some("workspace create")),
        (Some("oauth.token_issued"), None),
        (Some("operator.command"), Some("token create")),
    ];
    assert_eq!(names, expected, "{events:#?}");
    for event in &events {
        assert_eq!((event["target"].as_str(), event["outcome"].as_str()), (Some("audit"), Some("success")));
        assert!(event["recorded_at"].is_string() && event["event_id"].is_string(), "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_commands_are_printed_when_they_cannot_be_stored() {
    let server = TestServer::start(Stores::Sqlite).await;
    execute(&server, "DROP TABLE openapi_operator_events").await;
    let (_, printed) = succeeded(server.command(&["workspace", "create", "Lab", "--owner", OWNER], ""));
    assert!(printed.contains("operator.command") && printed.contains("were not stored"), "{printed}");
}
