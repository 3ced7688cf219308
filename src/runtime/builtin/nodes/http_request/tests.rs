use std::sync::Arc;

use axum::{Router, extract::Request as Asked, http::header, routing::any};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::memory::Owner;
use crate::runtime::{
    builtin::{
        secret_masks::SecretMasks,
        variables::pool::{SystemVariables, VariablePool},
    },
    outbound::{OutboundClient, RunOutboundClient},
};

/// Tells what it was asked.
async fn echo(request: Asked) -> String {
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

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

async fn run_strictly(data: Value, strict: bool) -> NodeResult {
    let router = Router::new()
        .route("/missing", any(|| async { (axum::http::StatusCode::NOT_FOUND, "gone") }))
        .route("/image", any(|| async { ([(header::CONTENT_TYPE, "image/png")], "PNG") }))
        .route("/bytes", any(|| async { ([(header::CONTENT_TYPE, "application/octet-stream")], vec![0xff_u8, 0]) }))
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
        &Arc::new(OutboundClient::new(vec!["127.0.0.0/8".parse().unwrap()]).unwrap()),
        [Owner::of(&"workspace"), Owner::of(&"app")],
    );
    let data: HttpRequestNodeData = serde_json::from_value(data).unwrap();
    let around = HttpRequestContext {
        view: pool.view(VariablePool::ROOT),
        outbound: &outbound,
        limit: 1 << 20,
        masks: &SecretMasks::new(["k3y-of-ours"]),
        strict,
        boundary: "the-boundary".to_owned(),
    };
    match start(&data, &around) {
        NodeRun::Ready(result) => result,
        NodeRun::Pending(future) => future.await,
    }
}

async fn run(data: Value) -> NodeResult {
    run_strictly(data, false).await
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
async fn url_parameters_and_headers_take_values() {
    let data = json!({
        "method": "GET", "url": "{{#env.AT#}}/p?x=1", "params": "q:{{#n.text#}}\n empty \n\nz: 1:2",
        "headers": "X-One: {{#n.text#}}\nX-Two:2\n",
    });
    assert_eq!(body(run(data).await), "GET /p?x=1&q=a+b%26c&empty=&z=1%3A2 [x-one=a b&c x-two=2] ");
}

#[tokio::test]
async fn every_kind_of_body_is_sent() {
    let item = |value: &str| json!([{"key": "", "type": "text", "value": value}]);
    let pairs = json!([
        {"key": "a\"b", "type": "text", "value": "{{#n.text#}}"}, {"key": "c", "type": "text", "value": "{{#n.lines#}}"}
    ]);
    for (sent, expected) in [
        (json!({"type": "none", "data": []}), "[] "),
        (
            json!({"type": "raw-text", "data": item("<{{#n.text#}}>")}),
            "[content-type=text/plain; charset=utf-8] <a b&c>",
        ),
        (
            json!({"type": "json", "data": item("{\"k\": \"{{#n.lines#}}\"}")}),
            "[content-type=application/json] {\"k\": \"one\\u000atwo\"}",
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
            "[content-type=multipart/form-data; boundary=the-boundary] --the-boundary\r\nContent-Disposition: \
          form-data; name=\"a%22b\"\r\n\r\na b&c\r\n--the-boundary\r\nContent-Disposition: form-data; name=\"c\"\r\n\r\none\ntwo\r\n\
          --the-boundary--\r\n",
        ),
    ] {
        let told = body(run(request(json!({"body": sent}))).await);
        let told = told.strip_prefix("POST /a ").unwrap();
        assert_eq!(told, expected);
    }
}

#[tokio::test]
async fn a_key_goes_out_and_is_not_told() {
    for (config, expected) in [
        (json!({"type": "bearer", "api_key": "{{#env.KEY#}}"}), "authorization=Bearer k3y-of-ours"),
        (json!({"type": "basic", "api_key": "u:{{#env.KEY#}}"}), "authorization=Basic dTprM3ktb2Ytb3Vycw=="),
        (json!({"type": "basic", "api_key": "dTprM3ktb2Ytb3Vycw=="}), "authorization=Basic dTprM3ktb2Ytb3Vycw=="),
        (json!({"type": "custom", "api_key": "{{#env.KEY#}}", "header": "X-Api-Key"}), "x-api-key=k3y-of-ours"),
    ] {
        let data = request(json!({"method": "get", "authorization": {"type": "api-key", "config": config}}));
        let NodeOutcome { outputs, process_data, .. } = run(data).await.unwrap();
        assert_eq!(outputs["body"], format!("GET /a [{expected}] "));
        let told = process_data["request"].as_str().unwrap();
        assert!(told.contains("****") && !told.contains("k3y") && !told.contains("dTprM3ktb2Yt"), "{told}");
    }
}

#[tokio::test]
async fn secrets_are_sent_and_not_told_wherever_they_stand() {
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
        let told = process_data["request"].as_str().unwrap();
        assert!(told.contains("****") && !told.contains("k3y"), "{told}");
    }
}

#[tokio::test]
async fn no_value_makes_a_header() {
    for headers in [
        "X-A: {{#n.inject#}}",
        "{{#n.inject#}}: a",
        "Host: other",
        "Content-Length: 0",
        "transfer-encoding: chunked",
        "X A: b",
    ] {
        let failure = run(request(json!({"headers": headers}))).await.unwrap_err();
        assert_eq!(failure.kind, "HttpRequestNodeError", "{headers}");
    }
    let config = json!({"type": "bearer", "api_key": "{{#n.inject#}}"});
    assert!(run(request(json!({"authorization": {"type": "api-key", "config": config}}))).await.is_err());
}

#[tokio::test]
async fn requests_that_cannot_be_are_refused_before_anything_is_sent() {
    let item = json!([{"key": "", "type": "text", "value": "{\"k\": {{#n.text#}}}"}]);
    for (data, kind) in [
        (request(json!({"url": ""})), "InvalidURLError"),
        (request(json!({"url": "ftp://x/"})), "InvalidURLError"),
        (request(json!({"url": "http://"})), "InvalidURLError"),
        (request(json!({"method": "TRACE"})), "InvalidHttpMethodError"),
        (request(json!({"method": "CONNECT"})), "InvalidHttpMethodError"),
        (request(json!({"authorization": {"type": "api-key"}})), "AuthorizationConfigError"),
        (request(json!({"body": {"type": "json", "data": item}})), "RequestBodyError"),
        (request(json!({"body": {"type": "binary", "data": []}})), "RequestBodyError"),
        (request(json!({"body": {"type": "form-data", "data": [{"key": "f", "type": "file"}]}})), "RequestBodyError"),
        (request(json!({"url": "http://10.0.0.1/"})), "HttpRequestNodeError"),
    ] {
        assert_eq!(run(data.clone()).await.unwrap_err().kind, kind, "{data}");
    }
}

#[tokio::test]
async fn answers_become_outputs() {
    let at = |path: &str| json!({"method": "get", "url": format!("{{{{#env.AT#}}}}{path}")});
    let outputs = run(at("/missing")).await.unwrap().outputs;
    assert_eq!(
        (&outputs["status_code"], &outputs["body"], &outputs["files"]),
        (&json!(404), &json!("gone"), &json!([]))
    );
    assert_eq!(outputs["headers"]["content-length"], "4");
    let failure = run_strictly(at("/missing"), true).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        ("HTTPResponseCodeError", "Request failed with status code 404")
    );
    assert_eq!(failure.outputs["body"], "gone");
    assert_eq!(body(run(at("/image")).await), "");
    assert_eq!(body(run(at("/bytes")).await), "");
    assert!(run(at("/large")).await.unwrap_err().message.contains("larger than 1048576 bytes"));
}
