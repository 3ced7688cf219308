//! The client against a test endpoint: its requests, its answers and its errors.

use std::{
    convert::Infallible,
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::{
    domain::secret::Secret,
    runtime::builtin::model::{ModelChunk, PromptMessage, PromptRole, Usage},
};

const KEY: &str = "sk-very-secret-0123456789";

type Respond = Arc<dyn Fn() -> Response + Send + Sync>;

/// Answers every request in the same way and records the requests.
struct TestEndpoint {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

impl TestEndpoint {
    async fn responding(answer: impl Fn() -> Response + Send + Sync + 'static) -> Self {
        let requests: Arc<Mutex<Vec<(HeaderMap, Value)>>> = Arc::default();
        let answer: Respond = Arc::new(answer);
        let handler = |State((requests, answer)): State<(Arc<Mutex<Vec<_>>>, Respond)>,
                       headers: HeaderMap,
                       Json(body): Json<Value>| async move {
            requests.lock().push((headers, body));
            answer()
        };
        let router =
            Router::new().route("/v1/chat/completions", post(handler)).with_state((Arc::clone(&requests), answer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { address, requests }
    }

    fn client(&self) -> OpenAiModels {
        client_of(&format!("http://{}/v1/", self.address), Some(KEY))
    }

    async fn ask(&self) -> Result<Vec<ModelChunk>, String> {
        collect(&self.client()).await
    }
}

fn client_of(url: &str, key: Option<&str>) -> OpenAiModels {
    client_with_timeout(url, key, Duration::from_secs(30))
}

fn client_with_timeout(url: &str, key: Option<&str>, timeout_limit: Duration) -> OpenAiModels {
    let names = [((full_provider("openai"), "gpt-4o".to_owned()), "llama3:8b".to_owned())];
    OpenAiModels::new(OpenAiSettings {
        base_url: url.parse().unwrap(),
        api_key: key.map(Secret::new),
        names: names.into(),
        first_byte_timeout: timeout_limit,
        idle_timeout: timeout_limit,
        metrics: Arc::default(),
        clients: crate::http_client::HttpClients::default(),
    })
    .unwrap()
}

fn prompt() -> Prompt {
    let parameters = json!({
        "temperature": 0.2, "top_p": 1, "max_tokens": 9, "stop": [], "seed": 7, "presence_penalty": 0.5,
        "n": 5, "stream": false, "tools": [{}], "response_format": "json_schema", "json_schema": "{\"name\":\"x\"}",
    });
    let Value::Object(parameters) = parameters else { unreachable!() };
    let message = |role, text: &str| PromptMessage::new(role, text);
    Prompt {
        provider: "openai".to_owned(),
        model: "gpt-4o".to_owned(),
        parameters,
        messages: vec![
            message(PromptRole::System, "Be kind."),
            message(PromptRole::User, "Hi"),
            message(PromptRole::Assistant, "Hello"),
        ],
        output_schema: None,
    }
}

async fn collect(client: &OpenAiModels) -> Result<Vec<ModelChunk>, String> {
    let mut chunks = client.stream(prompt()).await.map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    while let Some(chunk) = chunks.next().await {
        all.push(chunk.map_err(|error| format!("after {}: {error}", all.len()))?);
    }
    Ok(all)
}

fn delta(text: &str) -> String {
    format!("data: {}\n\n", json!({"id": "c", "choices": [{"index": 0, "delta": {"content": text}}]}))
}

fn end() -> String {
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n".to_owned()
}

fn events(frames: impl IntoIterator<Item = String, IntoIter: Send + 'static>) -> Response {
    let frames = stream::iter(frames.into_iter().map(|frame| Ok::<_, Infallible>(Bytes::from(frame))));
    Response::builder().header("content-type", "text/event-stream").body(Body::from_stream(frames)).unwrap()
}

fn text(text: &str) -> ModelChunk {
    ModelChunk::Text(text.to_owned())
}

#[tokio::test]
async fn answer_streams_and_ends_with_its_usage() {
    let endpoint = TestEndpoint::responding(|| {
        let usage =
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":2,\"total_tokens\":13}}\n\n";
        events([
            ": hello\n\n".to_owned(),
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\n".to_owned(),
            delta("Good "),
            // One event in three packets, and one packet of two events.
            "data: {\"choices\":[{\"del".to_owned(),
            "ta\":{\"content\":\"d\u{e4}".to_owned(),
            "y\"}}]}\r\n\r\n".to_owned(),
            format!("{}{}", delta("!"), end()),
            usage.to_owned(),
            "data: [DONE]\n\n".to_owned(),
        ])
    })
    .await;
    let usage = Usage { prompt_tokens: 11, completion_tokens: 2 };
    assert_eq!(
        endpoint.ask().await.unwrap(),
        [text("Good "), text("däy"), text("!"), ModelChunk::Finish("stop".to_owned()), ModelChunk::Usage(usage)]
    );

    let (headers, body) = endpoint.requests.lock().pop().unwrap();
    assert_eq!(headers["authorization"], format!("Bearer {KEY}"));
    assert!(!headers.contains_key("openai-organization"));
    insta::assert_json_snapshot!(body, @r#"
    {
      "model": "llama3:8b",
      "messages": [
        {
          "role": "system",
          "content": "Be kind."
        },
        {
          "role": "user",
          "content": "Hi"
        },
        {
          "role": "assistant",
          "content": "Hello"
        }
      ],
      "stream": true,
      "stream_options": {
        "include_usage": true
      },
      "temperature": 0.2,
      "top_p": 1,
      "max_tokens": 9,
      "presence_penalty": 0.5,
      "seed": 7,
      "response_format": {
        "type": "json_schema",
        "json_schema": {
          "name": "x"
        }
      }
    }
    "#);
}

#[tokio::test]
async fn request_without_key_has_no_authorization_and_done_ends_an_answer() {
    let endpoint = TestEndpoint::responding(|| events([delta("a"), "data: [DONE]\n\n".to_owned()])).await;
    let client = client_of(&format!("http://{}/v1", endpoint.address), None);
    assert_eq!(collect(&client).await.unwrap(), [text("a")]);
    assert!(!endpoint.requests.lock()[0].0.contains_key("authorization"));
    // The finish reason is forwarded; empty usage is not.
    let endpoint =
        TestEndpoint::responding(|| events([delta("a"), end().replace("stop", "length").replace("null", "{}")])).await;
    assert_eq!(endpoint.ask().await.unwrap(), [text("a"), ModelChunk::Finish("length".to_owned())]);
}

#[tokio::test]
async fn error_responses_become_one_short_sentence_without_the_key() {
    let long = format!("no \u{7}\n such {KEY} sk-other thing {}", "x".repeat(5_000));
    let cases = [
        (401, json!({"error": {"message": format!("Incorrect API key {KEY}")}}), "refused the key (401)"),
        (404, json!({"error": {"message": "model `llama3:8b` not found"}}), "(404): model `llama3:8b` not found"),
        (429, json!({"error": {"message": "slow down"}}), "rate limit or quota (429)"),
        (500, json!("a stack trace"), "The model endpoint failed (500)."),
        (400, json!({"error": {"message": long}}), "(400): no such … … thing xxx"),
        (422, json!({"error": "bad temperature"}), "(422): bad temperature"),
        (400, json!([1]), "refused the request (400)."),
        (302, json!(null), "redirect"),
    ];
    for (status, body, expected) in cases {
        let status = StatusCode::from_u16(status).unwrap();
        let endpoint = TestEndpoint::responding(move || {
            (status, [("location", "http://127.0.0.1:1/")], Json(body.clone())).into_response()
        })
        .await;
        let error = endpoint.ask().await.unwrap_err();
        assert!(error.contains(expected), "{status}: {error}");
        assert!(!error.contains("sk-") && error.len() < 500 && !error.contains('\n'), "{error}");
        assert_eq!(endpoint.requests.lock().len(), 1, "{status} was tried again");
    }
}

#[tokio::test]
async fn truncated_or_invalid_answer_fails_after_its_valid_chunks() {
    let cut = || {
        let frames = [Ok(Bytes::from(delta("a"))), Err(std::io::Error::other("gone"))];
        // The pause lets the first frame arrive before the connection closes.
        let body = Body::from_stream(stream::iter(frames).then(|frame| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            frame
        }));
        Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
    };
    assert_eq!(
        TestEndpoint::responding(cut).await.ask().await.unwrap_err(),
        "after 1: The model endpoint's answer ended early."
    );
    let early = || events([delta("a")]);
    assert_eq!(
        TestEndpoint::responding(early).await.ask().await.unwrap_err(),
        "after 1: The model endpoint's answer ended early."
    );
    let garbage = || events([delta("a"), "data: {nonsense\n\n".to_owned(), end()]);
    let error = TestEndpoint::responding(garbage).await.ask().await.unwrap_err();
    assert_eq!(error, "after 1: The model endpoint's answer could not be understood.");
    let reported = || events([delta("a"), "data: {\"error\":{\"message\":\"out of memory\"}}\n\n".to_owned()]);
    let error = TestEndpoint::responding(reported).await.ask().await.unwrap_err();
    assert_eq!(error, "after 1: The model endpoint failed in the middle of its answer: out of memory");
    let whole = || Json(json!({"choices": [{"message": {"content": "a"}}]})).into_response();
    assert_eq!(
        TestEndpoint::responding(whole).await.ask().await.unwrap_err(),
        "The model endpoint does not stream its answers."
    );
}

#[tokio::test]
async fn unreachable_or_silent_endpoint_times_out() {
    let error = collect(&client_of("http://127.0.0.1:1/v1", None)).await.unwrap_err();
    assert_eq!(error, "The model endpoint cannot be reached. Check OPENAI_BASE_URL.");
    let silent = || {
        let body = stream::iter([Ok::<_, Infallible>(Bytes::from(delta("a")))]).chain(stream::pending());
        Response::builder().header("content-type", "text/event-stream").body(Body::from_stream(body)).unwrap()
    };
    let endpoint = TestEndpoint::responding(silent).await;
    let client = client_with_timeout(&format!("http://{}/v1", endpoint.address), None, Duration::from_millis(300));
    let begun = Instant::now();
    let error = collect(&client).await.unwrap_err();
    // On a busy machine even the first chunk may be late.
    assert!(error.ends_with("The model endpoint did not answer in time."), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn endless_answers_and_events_are_rejected() {
    let endless = || events(std::iter::repeat_with(|| delta(&"x".repeat(10_000))));
    let error = TestEndpoint::responding(endless).await.ask().await.unwrap_err();
    assert!(error.ends_with("The model endpoint's answer is too long."), "{error}");
    let one_event = || events(std::iter::repeat_with(|| format!("data: {}\n", "x".repeat(10_000))));
    let error = TestEndpoint::responding(one_event).await.ask().await.unwrap_err();
    assert_eq!(error, "after 0: The model endpoint's answer is too long.");
}

#[tokio::test]
async fn slow_reader_pauses_the_endpoint() {
    let sent = Arc::new(Mutex::new(0_usize));
    let counted = Arc::clone(&sent);
    let endpoint = TestEndpoint::responding(move || {
        let counted = Arc::clone(&counted);
        events(std::iter::repeat_with(move || {
            *counted.lock() += 1;
            delta(&"x".repeat(1_000))
        }))
    })
    .await;
    let mut chunks = endpoint.client().stream(prompt()).await.unwrap();
    chunks.next().await.unwrap().unwrap();
    // The endpoint stops when the buffers of the socket are full.
    let settled = async {
        let mut before = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = *sent.lock();
            if now == before {
                return now;
            }
            before = now;
        }
    };
    let settled = timeout(Duration::from_secs(30), settled).await.expect("the endpoint pauses");
    assert!(settled < 20_000, "{settled} events of a kilobyte were read ahead");
}

#[test]
fn parameters_that_change_the_answer_format_are_omitted() {
    let parameters = |value: Value| match value {
        Value::Object(parameters) => parameters,
        _ => Map::new(),
    };
    let with =
        |value| request::body(&Prompt { parameters: parameters(value), ..prompt() }, "m", SchemaMode::ResponseFormat);
    assert_eq!(with(json!({"response_format": "json_object"}))["response_format"], json!({"type": "json_object"}));
    assert_eq!(with(json!({"response_format": ""})).get("response_format"), None);
    assert_eq!(with(json!({"response_format": "json_schema", "json_schema": "{broken"})).get("response_format"), None);
    assert_eq!(with(json!({"stop": ["\n"], "n": 4, "stream": false}))["stop"], json!(["\n"]));
    assert_eq!(with(json!({"n": 4, "stream": false})).get("n"), None);
    assert_eq!(with(json!({"stream": false}))["stream"], true);
}

fn with_schema() -> Prompt {
    Prompt { output_schema: Some(json!({"type": "object"})), ..prompt() }
}

#[tokio::test]
async fn schema_is_sent_as_response_format() {
    let endpoint = TestEndpoint::responding(|| events([delta("{}"), end()])).await;
    drop(endpoint.client().stream(with_schema()).await.unwrap());
    let (_, body) = endpoint.requests.lock().pop().unwrap();
    let format = json!({"type": "json_schema", "json_schema": {"name": "llm_response", "schema": {"type": "object"}}});
    assert_eq!((&body["response_format"], &body["messages"][0]["content"]), (&format, &json!("Be kind.")));
}

#[tokio::test]
async fn schema_is_sent_as_instructions_when_response_format_is_rejected() {
    let rejections = Arc::new(Mutex::new(1));
    let endpoint = TestEndpoint::responding(move || {
        let mut left = rejections.lock();
        if *left == 0 {
            return events([delta("{}"), end()]);
        }
        *left -= 1;
        (StatusCode::BAD_REQUEST, Json(json!({"error": {"message": "unknown response_format"}}))).into_response()
    })
    .await;
    let client = endpoint.client();
    drop(client.stream(with_schema()).await.unwrap());
    // The next call does not try the format again.
    drop(client.stream(with_schema()).await.unwrap());
    let bodies: Vec<Value> = endpoint.requests.lock().iter().map(|(_, body)| body.clone()).collect();
    assert_eq!(bodies.len(), 3);
    assert!(bodies[0].get("response_format").is_some());
    for body in &bodies[1..] {
        assert_eq!(body.get("response_format"), None);
        let system = body["messages"][0]["content"].as_str().unwrap();
        assert!(system.contains("{\"type\":\"object\"}") && system.ends_with("Be kind."), "{system}");
    }
}

#[tokio::test]
async fn other_errors_of_a_prompt_with_schema_are_not_tried_again() {
    let endpoint = TestEndpoint::responding(|| (StatusCode::UNAUTHORIZED, Json(json!({}))).into_response()).await;
    assert!(endpoint.client().stream(with_schema()).await.is_err());
    assert_eq!(endpoint.requests.lock().len(), 1);
}
