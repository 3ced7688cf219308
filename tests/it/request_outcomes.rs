//! How requests end, as the metrics and the access log record it: gRPC statuses, streams, clients that leave.

use dify_openapi::testing::rpc::proto::{GetAccountRequest, GetHealthRequest};
use serde_json::json;

use crate::support::{
    Answer, Bearer, Browser, Stores, TestServer,
    grpc::{Clients, channel, with_bearer},
    logs::Logs,
    runs::{answer, graph_app, open_stream, request},
    server::OWNER,
};

/// The number of requests whose series has all `labels`, once it is at least `expected`.
async fn recorded(server: &TestServer, metric: &str, labels: &[&str], expected: u64) -> u64 {
    let mut count = 0;
    for _ in 0..200 {
        let text = Answer::to(reqwest::Client::new().get(server.admin("/metrics"))).await.text;
        let prefix = format!("{metric}_count{{");
        let series = text.lines().filter(|line| line.starts_with(&prefix) && labels.iter().all(|l| line.contains(l)));
        count = series.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
        if count >= expected {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    count
}

const CALLS: &str = "rpc_server_call_duration_seconds";
const REQUESTS: &str = "http_server_request_duration_seconds";

#[tokio::test(flavor = "multi_thread")]
async fn call_is_counted_by_its_grpc_status() {
    let server = TestServer::start(Stores::Sqlite).await;
    let mut clients = Clients::on(channel(&server).await);
    clients.meta.get_health(GetHealthRequest {}).await.unwrap();
    clients.identity.get_account(with_bearer(GetAccountRequest {}, "dfoa_unknown")).await.unwrap_err();
    let method = |name: &str| format!("rpc_method=\"dify.openapi.v1.{name}\"");
    for (name, status) in [("MetaService/GetHealth", "OK"), ("IdentityService/GetAccount", "UNAUTHENTICATED")] {
        let labels = [&*method(name), &format!("rpc_response_status_code=\"{status}\""), "rpc_system_name=\"grpc\""];
        assert_eq!(recorded(&server, CALLS, &labels, 1).await, 1, "{name}");
    }
    assert_eq!(recorded(&server, CALLS, &["error_type"], 0).await, 0, "the client's errors are not the server's");
    assert_eq!(recorded(&server, REQUESTS, &[], 0).await, 0, "a call is not counted as an HTTP request");
}

#[tokio::test(flavor = "multi_thread")]
async fn request_is_counted_by_its_method_route_and_status() {
    let server = TestServer::start(Stores::Sqlite).await;
    assert_eq!(Browser::anonymous(&server).get("/openapi/v1/account").await.0, 401);
    let labels = [
        "http_request_method=\"GET\"",
        "http_route=\"/openapi/v1/account\"",
        "http_response_status_code=\"401\"",
        "door=\"json\"",
    ];
    assert_eq!(recorded(&server, REQUESTS, &labels, 1).await, 1);
}

/// An app whose answer takes some seconds.
async fn slow_app(server: &TestServer) -> String {
    let model = json!({"id": "greet", "data": {"type": "llm", "title": "Talk",
        "model": {"provider": "echo", "name": "echo", "mode": "chat", "completion_params": {}},
        "prompt_template": [{"role": "user", "text": "{{#sys.query#}}"}], "memory": null,
        "context": {"enabled": false, "variable_selector": []}}});
    let mut node = answer();
    node["data"]["answer"] = json!("{{#greet.text#}}");
    graph_app(server, "advanced-chat", &[model, node]).await
}

fn run(words: usize, response_mode: &str) -> serde_json::Value {
    let words = (0..words).map(|index| format!("w{index}")).collect::<Vec<_>>().join(" ");
    json!({"inputs": {"name": "Ann"}, "query": format!("Reply exactly: {words}"), "response_mode": response_mode})
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_is_recorded_when_it_ends() {
    let server = TestServer::start_with(Stores::Sqlite, &[("ECHO_PACE_MS", "20")]).await;
    let app = slow_app(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let route = ["/run\""];

    let mut response = request(&bearer, &app, &run(20, "streaming")).send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some());
    assert_eq!(recorded(&server, REQUESTS, &route, 0).await, 0, "the stream has not ended");
    while response.chunk().await.unwrap().is_some() {}
    assert_eq!(recorded(&server, REQUESTS, &route, 1).await, 1);

    let mut stream = open_stream(&server, &bearer, &app, &run(2, "streaming")).await.unwrap();
    while stream.message().await.unwrap().is_some() {}
    let labels = ["AppService/RunApp", "rpc_response_status_code=\"OK\""];
    assert_eq!(recorded(&server, CALLS, &labels, 1).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn request_of_a_client_that_leaves_is_recorded_as_aborted() {
    let logs = Logs::capture();
    let server = TestServer::start_with(Stores::Sqlite, &[("ECHO_PACE_MS", "20")]).await;
    let app = slow_app(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;

    let mut response = request(&bearer, &app, &run(2_000, "streaming")).send().await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert!(response.chunk().await.unwrap().is_some());
    drop(response);
    assert_eq!(recorded(&server, REQUESTS, &["/run\"", "http_response_status_code=\"200\""], 1).await, 1);
    assert_eq!(logs.matching(&[&id, "aborted=true", "status=200"]).len(), 1, "the stream is in the access log");

    let blocking = request(&bearer, &app, &run(2_000, "blocking")).timeout(std::time::Duration::from_millis(300));
    assert!(blocking.send().await.unwrap_err().is_timeout());
    assert_eq!(recorded(&server, REQUESTS, &["http_response_status_code=\"499\""], 1).await, 1);

    let mut stream = open_stream(&server, &bearer, &app, &run(2_000, "streaming")).await.unwrap();
    assert!(stream.message().await.unwrap().is_some());
    drop(stream);
    let cancelled = ["AppService/RunApp", "rpc_response_status_code=\"CANCELLED\""];
    assert_eq!(recorded(&server, CALLS, &cancelled, 1).await, 1);
}
