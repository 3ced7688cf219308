//! Requests and responses, with a local server.

use std::sync::Arc;

use axum::{Router, extract::Request as ReceivedRequest, http::header, routing::any};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::*;
use crate::runtime::{
    builtin::{
        nodes::workspace_credentials::WorkspaceCredentials,
        secret_masks::SecretMasks,
        variables::pool::{SystemVariables, VariablePool},
    },
    outbound::{OutboundClient, RunOutboundClient},
};
use crate::{
    domain::{
        Error,
        id::{ConnectionId, WorkspaceId},
        secret::Secret,
    },
    memory::{MemoryLedger, Owner},
    ports::run_credentials::{NamedCredential, RunCredentials, ToolConnection, ToolCredentials},
};

/// Responds with the request that it received.
async fn echo(request: ReceivedRequest) -> String {
    let (parts, body) = request.into_parts();
    let mut headers: Vec<_> = parts
        .headers
        .iter()
        .filter(|(name, _)| {
            !["host", "accept", "user-agent", "accept-encoding", "content-length"].contains(&name.as_str())
        })
        .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    headers.sort();
    let body = axum::body::to_bytes(body, 20_000).await.unwrap();
    format!("{} {} [{}] {}", parts.method, parts.uri, headers.join(" "), String::from_utf8_lossy(&body))
}

/// The connections of a workspace that has one.
struct OneConnection;

const CONNECTION: ConnectionId = ConnectionId(Uuid::from_u128(9));
const TOKEN: &str = "t0ken/of-the-connection";

#[async_trait::async_trait]
impl RunCredentials for OneConnection {
    async fn secret(&self, workspace: WorkspaceId, named: &NamedCredential) -> crate::domain::Result<Secret> {
        assert_eq!(workspace, WorkspaceId(Uuid::from_u128(6)));
        if named.connection != CONNECTION || named.provider.to_string() != "acme/tools/search" {
            return Err(Error::not_found("There is no such connection."));
        }
        Ok(Secret::new(named.field.as_deref().unwrap_or(TOKEN)))
    }

    async fn for_tool(&self, _: &ToolConnection) -> crate::domain::Result<Option<ToolCredentials>> {
        Ok(None)
    }

    async fn report_rejected(&self, _: &ToolConnection, _: ConnectionId) {}
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

async fn run_with(data: Value, fail_on_status: bool) -> NodeResult {
    let router = Router::new()
        .route("/missing", any(|| async { (axum::http::StatusCode::NOT_FOUND, "gone") }))
        .route("/image", any(|| async { ([(header::CONTENT_TYPE, "image/png")], "PNG") }))
        .route("/bytes", any(|| async { ([(header::CONTENT_TYPE, "application/octet-stream")], vec![0xff_u8, 0]) }))
        .route(
            "/gbk",
            any(|| async { ([(header::CONTENT_TYPE, "text/html; charset=gbk")], vec![0xd6_u8, 0xd0, 0xce, 0xc4]) }),
        )
        .route("/latin", any(|| async { ([(header::CONTENT_TYPE, "x; Charset='ISO-8859-1'")], vec![0xe9_u8]) }))
        .route(
            "/unknown",
            any(|| async { ([(header::CONTENT_TYPE, "text/plain; charset=x")], vec![0xc3_u8, 0xa9, 0xff]) }),
        )
        .route("/large", any(|| async { "x".repeat((1 << 20) + 1) }))
        .route("/twice", any(|| async { ([("x-a", "1"), ("x-b", "2")], "ok") }))
        .fallback(echo);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let environment = map(json!({"AT": format!("http://{at}"), "KEY": "k3y-of-ours"}));
    let mut pool = VariablePool::new(SystemVariables::default(), environment, Map::new(), (1 << 21, 1 << 22));
    let values = json!({"text": "a b&c", "lines": "one\ntwo", "inject": "v\r\nx-evil: 1", "quote": "say \"hi\"\n"});
    pool.set(VariablePool::ROOT, &"n".into(), Arc::new(map(values))).unwrap();
    let outbound = RunOutboundClient::new(
        &Arc::new(
            OutboundClient::new(
                vec!["127.0.0.0/8".parse().unwrap()],
                &MemoryLedger::unlimited(),
                &crate::http_client::HttpClients::default(),
            )
            .unwrap(),
        ),
        [Owner::of(&"workspace"), Owner::of(&"app")],
    );
    let data: HttpRequestNodeData = serde_json::from_value(data).unwrap();
    let workspace = WorkspaceId(Uuid::from_u128(6));
    let credentials = WorkspaceCredentials { workspace, account: None, source: Arc::new(OneConnection) };
    let context = HttpRequestContext {
        view: pool.view(VariablePool::ROOT),
        outbound: &outbound,
        credentials: &credentials,
        limit: 1 << 20,
        masks: &SecretMasks::new(["k3y-of-ours"]),
        fail_on_status,
        boundary: "the-boundary".to_owned(),
    };
    match start(&data, &context) {
        NodeRun::Ready(result) => result,
        NodeRun::Pending(future) => future.await,
    }
}

async fn run(data: Value) -> NodeResult {
    run_with(data, false).await
}

fn body(result: NodeResult) -> String {
    result.unwrap().outputs["body"].as_str().unwrap().to_owned()
}

fn request(more: Value) -> Value {
    let mut data = json!({"method": "post", "url": "{{#env.AT#}}/a"});
    data.as_object_mut().unwrap().extend(map(more));
    data
}

#[tokio::test]
async fn url_parameters_and_headers_are_filled_in() {
    let data = json!({
        "method": "GET", "url": "{{#env.AT#}}/p?x=1", "params": "q:{{#n.text#}}\n empty \n\nz: 1:2",
        "headers": "X-One: {{#n.text#}}\nX-Two:2\n",
    });
    assert_eq!(body(run(data).await), "GET /p?q=a+b%26c&empty=&z=1%3A2 [x-one=a b&c x-two=2] ");
}

#[tokio::test]
async fn body_of_every_kind_is_sent() {
    let item = |value: &str| json!([{"key": "", "type": "text", "value": value}]);
    let pairs = json!([
        {"key": "a\"b", "type": "text", "value": "{{#n.text#}}"}, {"key": "c", "type": "text", "value": "{{#n.lines#}}"}
    ]);
    for (sent, expected) in [
        (json!({"type": "none", "data": []}), "[] "),
        (json!({"type": "raw-text", "data": item("<{{#n.text#}}>")}), "[content-type=text/plain] <a b&c>"),
        (
            json!({"type": "json", "data": item("{\"k\": \"{{#n.lines#}}\"}")}),
            "[content-type=application/json] {\"k\":\"one\\ntwo\"}",
        ),
        (json!({"type": "json", "data": "[1]"}), "[content-type=application/json] [1]"),
        (
            json!({"type": "x-www-form-urlencoded", "data": pairs}),
            "[content-type=application/x-www-form-urlencoded] a%22b=a+b%26c&c=one%0Atwo",
        ),
        (
            json!({"type": "x-www-form-urlencoded", "data": "a:1\nb:2"}),
            "[content-type=application/x-www-form-urlencoded] a=1&b=2",
        ),
        (
            json!({"type": "form-data", "data": pairs}),
            "[content-type=multipart/form-data; boundary=the-boundary] --the-boundary\r\n\
             Content-Disposition: form-data; name=\"a%22b\"\r\n\r\na b&c\r\n--the-boundary\r\n\
             Content-Disposition: form-data; name=\"c\"\r\n\r\none\ntwo\r\n--the-boundary--\r\n",
        ),
    ] {
        let received = body(run(request(json!({"body": sent}))).await);
        assert_eq!(received.strip_prefix("POST /a ").unwrap(), expected);
    }
}

#[tokio::test]
async fn event_has_the_request_as_dify_writes_it() {
    let key = json!({"type": "api-key", "config": {"type": "custom", "api_key": "abc", "header": "X-Key"}});
    let sent = json!({"type": "json", "data": [{"value": "{\"k\":[1,2.50],\"q\":\"{{#n.quote#}}ü\"}"}]});
    let data = request(json!({"headers": "X-Two: 2\nX-one:1\nX-Two: 3", "authorization": key, "body": sent}));
    let event_text = run(data).await.unwrap().process_data["request"].as_str().unwrap().to_owned();
    let (start, rest) = event_text.split_once("\r\nHost: 127.0.0.1:").unwrap();
    assert_eq!(start, "POST /a HTTP/1.1");
    let expected = "X-Two: 3\r\nX-one: 1\r\nX-Key: ****\r\nContent-Type: application/json\r\nContent-Length: 42\r\n\r\n\
                    {\"k\": [1, 2.5], \"q\": \"say \\\"hi\\\"\\n\\u00fc\"}";
    assert_eq!(rest.split_once("\r\n").unwrap().1, expected);
}

#[tokio::test]
async fn api_key_is_sent_and_masked_in_the_event() {
    for (config, expected) in [
        (json!({"type": "bearer", "api_key": "{{#env.KEY#}}"}), "authorization=Bearer k3y-of-ours"),
        (json!({"type": "basic", "api_key": "u:{{#env.KEY#}}"}), "authorization=Basic dTprM3ktb2Ytb3Vycw=="),
        (json!({"type": "basic", "api_key": "dTprM3ktb2Ytb3Vycw=="}), "authorization=Basic dTprM3ktb2Ytb3Vycw=="),
        (json!({"type": "custom", "api_key": "{{#env.KEY#}}", "header": "X-Api-Key"}), "x-api-key=k3y-of-ours"),
    ] {
        let data = request(json!({"method": "get", "authorization": {"type": "api-key", "config": config}}));
        let NodeOutcome { outputs, process_data, .. } = run(data).await.unwrap();
        assert_eq!(outputs["body"], format!("GET /a [{expected}] "));
        let event_text = process_data["request"].as_str().unwrap();
        assert!(event_text.contains("****") && !event_text.contains("k3y"), "{event_text}");
        assert!(!event_text.contains("dTprM3ktb2Yt"), "{event_text}");
    }
}

#[tokio::test]
async fn secrets_are_sent_and_masked_in_every_part() {
    let long = format!("{}{{{{#env.KEY#}}}}", "x".repeat(9_995));
    for (data, sent) in [
        (json!({"method": "get", "params": "key:{{#env.KEY#}}"}), "key=k3y-of-ours"),
        (json!({"method": "get", "url": "{{#env.AT#}}/a/{{#env.KEY#}}"}), "/a/k3y-of-ours"),
        (json!({"method": "get", "headers": "x-token:{{#env.KEY#}}"}), "x-token=k3y-of-ours"),
        (
            json!({"method": "post", "body": {"type": "json", "data": [{"value": "{\"k\": \"{{#env.KEY#}}\"}"}]}}),
            "k3y-of-ours",
        ),
        (json!({"method": "post", "body": {"type": "raw-text", "data": [{"value": long}]}}), "xk3"),
    ] {
        let NodeOutcome { outputs, process_data, .. } = run(request(data)).await.unwrap();
        assert!(outputs["body"].as_str().unwrap().contains(sent), "{outputs:?}");
        let event_text = process_data["request"].as_str().unwrap();
        assert!(event_text.contains("****") && !event_text.contains("k3y"), "{event_text}");
    }
}

#[tokio::test]
async fn value_cannot_add_a_header() {
    for headers in ["X-A: {{#n.inject#}}", "{{#n.inject#}}: a", "X A: b"] {
        let error = run(request(json!({"headers": headers}))).await.unwrap_err();
        assert_eq!(error.kind, "HttpRequestNodeError", "{headers}");
    }
    let config = json!({"type": "bearer", "api_key": "{{#n.inject#}}"});
    assert!(run(request(json!({"authorization": {"type": "api-key", "config": config}}))).await.is_err());
}

#[tokio::test]
async fn invalid_requests_are_rejected_before_they_are_sent() {
    let item = json!([{"key": "", "type": "text", "value": "plain {{#n.text#}}"}]);
    for (data, kind) in [
        (request(json!({"url": ""})), "InvalidURLError"),
        (request(json!({"url": "ftp://x/"})), "InvalidURLError"),
        (request(json!({"url": "http://"})), "InvalidURLError"),
        (request(json!({"method": "TRACE"})), "InvalidHttpMethodError"),
        (request(json!({"method": "CONNECT"})), "InvalidHttpMethodError"),
        (request(json!({"authorization": {"type": "api-key"}})), "AuthorizationConfigError"),
        (
            request(
                json!({"authorization": {"type": "api-key", "config": {"type": "bearer", "api_key": "{{#n.x#}}"}}}),
            ),
            "AuthorizationConfigError",
        ),
        (request(json!({"body": {"type": "json", "data": item}})), "RequestBodyError"),
        (request(json!({"body": {"type": "binary", "data": []}})), "RequestBodyError"),
        (request(json!({"body": {"type": "form-data", "data": [{"key": "f", "type": "file"}]}})), "RequestBodyError"),
        (request(json!({"url": "http://10.0.0.1/"})), "HttpRequestNodeError"),
    ] {
        assert_eq!(run(data.clone()).await.unwrap_err().kind, kind, "{data}");
    }
}

#[tokio::test]
async fn response_becomes_outputs() {
    let at = |path: &str| json!({"method": "get", "url": format!("{{{{#env.AT#}}}}{path}")});
    let outputs = run(at("/missing")).await.unwrap().outputs;
    assert_eq!(
        (&outputs["status_code"], &outputs["body"], &outputs["files"]),
        (&json!(404), &json!("gone"), &json!([]))
    );
    assert_eq!(outputs["headers"]["content-length"], "4");
    let error = run_with(at("/missing"), true).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), ("HTTPResponseCodeError", "Request failed with status code 404"));
    assert_eq!(error.outputs["body"], "gone");
    assert_eq!(body(run(at("/image")).await), "");
    assert_eq!(body(run(at("/bytes")).await), "");
    assert!(run(at("/large")).await.unwrap_err().message.contains("larger than 1048576 bytes"));
}

#[tokio::test]
async fn headers_of_the_connection_are_ignored() {
    let headers = "Host: api.example.com\nConnection: keep-alive\nContent-Length: 0\ntransfer-encoding: chunked\n\
                   Keep-Alive: timeout=5\nAccept-Encoding: gzip, br\nTE: trailers\nX-Own: 1";
    let NodeOutcome { outputs, process_data, .. } =
        run(request(json!({"method": "get", "headers": headers}))).await.unwrap();
    assert_eq!(outputs["body"], "GET /a [x-own=1] ");
    let event_text = process_data["request"].as_str().unwrap();
    assert!(event_text.contains("Host: api.example.com\r\n"), "{event_text}");
}

#[tokio::test]
async fn body_is_decoded_by_its_declared_charset() {
    for (path, text) in [("/gbk", "中文"), ("/latin", "é"), ("/unknown", "é\u{fffd}")] {
        let data = json!({"method": "get", "url": format!("{{{{#env.AT#}}}}{path}")});
        assert_eq!(body(run(data).await), text, "{path}");
    }
}

#[tokio::test]
async fn timeout_written_as_text_is_read() {
    for read in [json!("60"), json!(60.0), json!(""), json!(null)] {
        let data = request(json!({"method": "get", "timeout": {"read": read, "connect": "10"}}));
        assert_eq!(body(run(data).await), "GET /a [] ");
    }
}

fn with_connection(config: Value) -> Value {
    let mut all = json!({"provider": "acme/tools/search", "credential_id": CONNECTION.to_string()});
    all.as_object_mut().unwrap().extend(map(config));
    json!({"method": "get", "url": "{{#env.AT#}}/a", "headers": "", "params": "",
        "authorization": {"type": "connection", "config": all}})
}

#[tokio::test]
async fn value_of_a_connection_is_sent_and_masked() {
    for (config, sent) in [
        (json!({}), "authorization=Bearer ****"),
        (json!({"type": "basic", "field": "user:t0ken"}), "authorization=Basic ****"),
        (json!({"type": "custom", "header": "X-Key"}), "x-key=****"),
    ] {
        let outcome = run(with_connection(config)).await.unwrap();
        let (body, request) = (&outcome.outputs["body"], &outcome.process_data["request"]);
        assert_eq!(body, &json!(format!("GET /a [{sent}] ")), "the echo of the server is masked");
        assert!(request.as_str().unwrap().contains(": ****\r\n"), "{request}");
        assert!(!format!("{outcome:?}").contains("t0ken"));
    }
}

#[tokio::test]
async fn faulty_authorizations_with_a_connection_are_errors() {
    for (config, kind) in [
        (json!({"credential_id": Uuid::from_u128(8).to_string()}), "ConnectionError"),
        (json!({"credential_id": "x"}), "AuthorizationConfigError"),
        (json!({"provider": "Not a key"}), "AuthorizationConfigError"),
        (json!({"header": "not a header"}), "HttpRequestNodeError"),
        (json!({"field": "line\nbreak"}), "HttpRequestNodeError"),
    ] {
        let error = run(with_connection(config.clone())).await.unwrap_err();
        assert_eq!(error.kind, kind, "{config}: {error}");
        assert!(!error.message.contains("line"), "{error}");
    }
}
