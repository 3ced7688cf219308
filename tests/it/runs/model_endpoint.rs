//! Model endpoints that are configured by the environment.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, http::HeaderMap, response::IntoResponse, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use opentelemetry_proto::tonic::{
    common::v1::any_value::Value as SpanValue,
    trace::v1::{Span, span::SpanKind},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{
    Bearer, Stores, TestServer, apps,
    collector::{Collector, attributes, exporting_to, text, traceparent},
    runs::{blocking, prompt_app, streamed},
    server::OWNER,
    server_process::ServerProcess,
    uploads::{PNG, upload},
};

const KEY: &str = "sk-of-the-endpoint-0123456789";

/// An endpoint with one model that records its requests.
pub(crate) async fn endpoint() -> (String, Arc<Mutex<Vec<(HeaderMap, Value)>>>) {
    let requests: Arc<Mutex<Vec<(HeaderMap, Value)>>> = Arc::default();
    let recorded = Arc::clone(&requests);
    let answer = move |headers: HeaderMap, Json(body): Json<Value>| async move {
        let known = body["model"] == "llama3";
        recorded.lock().unwrap().push((headers, body));
        if !known {
            let body = json!({"error": {"message": format!("no such model for {KEY}")}});
            return (axum::http::StatusCode::NOT_FOUND, Json(body)).into_response();
        }
        let event = |choices: Value, usage: Value| format!("data: {}\n\n", json!({"choices": choices, "usage": usage}));
        let text = event(json!([{"delta": {"content": "Good day"}}]), Value::Null)
            + &event(json!([{"delta": {}, "finish_reason": "stop"}]), Value::Null)
            + &event(json!([]), json!({"prompt_tokens": 7, "completion_tokens": 2}))
            + "data: [DONE]\n\n";
        ([("content-type", "text/event-stream")], text).into_response()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().route("/v1/chat/completions", post(answer))).into_future());
    (url, requests)
}

pub(crate) async fn with_model(server: &TestServer, provider: &str, name: &str) -> String {
    let app = prompt_app(server, "chat").await;
    let params = json!({"temperature": 0.1});
    let model = json!({"provider": provider, "name": name, "mode": "chat", "completion_params": params});
    apps::configure(
        server,
        &app,
        &[("model", model), ("pre_prompt", json!("Be kind.")), ("prompt_type", json!("simple"))],
    )
    .await;
    app
}

pub(crate) fn body() -> Value {
    json!({"inputs": {"name": "Ann"}, "query": "Hello"})
}

#[tokio::test(flavor = "multi_thread")]
async fn model_endpoint_receives_the_mapped_name_and_the_key() {
    let (url, requests) = endpoint().await;
    let environment = [
        ("OPENAI_BASE_URL", url.as_str()),
        ("OPENAI_API_KEY", KEY),
        ("OPENAI_MODELS", "langgenius/openai/openai:gpt-4o=llama3"),
    ];
    let server = TestServer::start_with(Stores::Sqlite, &environment).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    // The second name is that of DSL files older than plugins.
    for provider in ["langgenius/openai/openai", "openai"] {
        let app = with_model(&server, provider, "gpt-4o").await;
        let events = streamed(&bearer, &app, body()).await;
        assert_eq!((&events[0]["answer"], events.len()), (&json!("Good day"), 2));
        assert_eq!(events[1]["metadata"]["usage"]["total_tokens"], 9);
        let (headers, request) = requests.lock().unwrap().pop().unwrap();
        assert_eq!(headers["authorization"], format!("Bearer {KEY}"));
        assert_eq!((&request["temperature"], &request["messages"][1]["content"]), (&json!(0.1), &json!("Hello")));
    }

    let app = with_model(&server, "openai", "gpt-5").await;
    let refusal = blocking(&bearer, &app, body()).await;
    assert_eq!((refusal.status, refusal.code().as_str()), (502, "upstream_error"));
    assert_eq!(refusal.json()["message"], "The model endpoint does not know this model or path (404).");
    assert!(!refusal.text.contains("no such model") && !refusal.text.contains("sk-"), "{}", refusal.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_model_endpoint_names_the_variable() {
    let server = TestServer::start_with(Stores::Sqlite, &[]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let app = with_model(&server, "langgenius/openai/openai", "gpt-4o").await;
    let refusal = blocking(&bearer, &app, body()).await;
    assert_eq!((refusal.status, refusal.code().as_str()), (502, "upstream_error"));
    assert!(refusal.text.contains("OPENAI_BASE_URL"), "{}", refusal.text);
}

/// The data URL of the picture.
fn png_url() -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(PNG))
}

/// The content of the last message that the endpoint received.
fn last_content(requests: &Mutex<Vec<(HeaderMap, Value)>>) -> Value {
    let (_, request) = requests.lock().unwrap().pop().unwrap();
    request["messages"].as_array().unwrap().last().unwrap()["content"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn images_reach_models_that_see_as_data_urls() {
    let (url, requests) = endpoint().await;
    let server = TestServer::start_with(Stores::Sqlite, &[("OPENAI_BASE_URL", &url)]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let chat = with_model(&server, "openai", "llama3").await;
    apps::configure_more(&server, &chat, "file_upload", &json!({"image": {"enabled": true, "detail": "low"}})).await;
    let id = upload(&bearer, &chat, "a.png", PNG).await.json()["id"].clone();
    let file = json!({"type": "image", "transfer_method": "local_file", "upload_file_id": id});
    let mut run = body();
    run["files"] = json!([file]);
    assert_eq!(blocking(&bearer, &chat, run).await.status, 200);
    let image = |detail: &str| json!({"type": "image_url", "image_url": {"url": png_url(), "detail": detail}});
    assert_eq!(last_content(&requests), json!([image("low"), {"type": "text", "text": "Hello"}]));

    let workspace = apps::shared_workspace(&server).await;
    let workflow = apps::insert(&server, &workspace, "See", "workflow", 0).await;
    let llm = |vision: bool| {
        json!({
            "type": "llm", "title": "LLM", "context": {"enabled": false},
            "model": {"provider": "openai", "name": "llama3", "mode": "chat", "completion_params": {}},
            "prompt_template": [{"role": "user", "text": "What is {{#start.photo.name#}}?"}],
            "vision": {"enabled": vision, "configs": {"variable_selector": ["start", "photo"], "detail": "high"}},
        })
    };
    for vision in [true, false] {
        let variables = json!([{"variable": "photo", "type": "file", "allowed_file_types": ["image"]}]);
        let graph = json!({
            "nodes": [
                {"id": "start", "data": {"type": "start", "title": "Start", "variables": variables}},
                {"id": "llm", "data": llm(vision)},
                {"id": "end", "data": {"type": "end", "title": "End", "outputs": []}},
            ],
            "edges": [
                {"id": "e", "source": "start", "target": "llm", "sourceHandle": "source", "targetHandle": "target"},
                {"id": "f", "source": "llm", "target": "end", "sourceHandle": "source", "targetHandle": "target"},
            ],
        });
        apps::publish(&server, &workflow, &graph, &json!({})).await;
        let answer = blocking(&bearer, &workflow, json!({"inputs": {"photo": file}})).await;
        assert_eq!(answer.json()["data"]["status"], "succeeded", "{}", answer.text);
        let text = "What is a.png?";
        let expected = if vision { json!([image("high"), {"type": "text", "text": text}]) } else { json!(text) };
        assert_eq!(last_content(&requests), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_run_are_client_spans_and_the_model_gets_their_trace_context() {
    let (url, requests) = endpoint().await;
    let Some(stores) = Stores::servers().await else { return };
    let environment =
        [("OPENAI_BASE_URL", url.as_str()), ("OPENAI_API_KEY", KEY), ("OPENAI_MODELS", "openai:m=llama3")];
    let mut server = TestServer::start_with(stores, &environment).await;
    let app = with_model(&server, "openai", "m").await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let run = async || {
        let answer = blocking(&bearer, &app, body()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let (headers, _) = requests.lock().unwrap().pop().unwrap();
        (answer.header("x-request-id").to_owned(), headers["traceparent"].to_str().unwrap().to_owned())
    };
    // Without an export the trace has the id of the request.
    let (id, sent) = run().await;
    assert!(sent.starts_with(&format!("00-{id}-")) && sent.ends_with("-01"), "{sent} {id}");

    server.halt().await;
    let (collector, collector_url) = Collector::start().await;
    let _process = ServerProcess::start_with(&server, &exporting_to(&collector_url)).await;
    let (_, sent) = run().await;
    let request = collector.wait_for("of the run", |span| span.name.ends_with("/run")).await;
    let call = collector.wait_for_call(&request, "model").await;
    assert_eq!(sent, traceparent(&call));
    let found = attributes(&call.attributes);
    assert_eq!((call.name.as_str(), &found["http.request.method"]), ("POST", &text("POST")));
    assert_eq!(found["http.response.status_code"], SpanValue::IntValue(200));
    assert_eq!(found["server.address"], text("127.0.0.1"));
    assert!(matches!(found["server.port"], SpanValue::IntValue(_)), "{found:?}");
    for (system, operation) in [("postgresql", "SELECT"), ("redis", "EVALSHA")] {
        let is_call = |span: &Span| {
            span.trace_id == request.trace_id
                && attributes(&span.attributes).get("db.system.name") == Some(&text(system))
        };
        let call = collector.wait_for(system, is_call).await;
        assert_eq!(call.kind, SpanKind::Client as i32);
        assert_eq!(call.parent_span_id, request.span_id, "{call:?}");
        let of_system = |span: &&Span| is_call(span) && span.name == operation;
        assert!(collector.spans().iter().any(|span| of_system(&span)), "{system} {operation}");
    }
    // Every span of the trace has a parent that was exported, too.
    let spans = collector.spans();
    let of_trace: Vec<_> = spans.iter().filter(|span| span.trace_id == request.trace_id).collect();
    for span in &of_trace {
        let is_root = span.span_id == request.span_id;
        assert!(is_root || of_trace.iter().any(|parent| parent.span_id == span.parent_span_id), "{span:?}");
    }
}
