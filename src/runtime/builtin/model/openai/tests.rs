//! The client against a stand-in endpoint: what it sends, what it makes of answers, and how it fails.

use std::{convert::Infallible, net::SocketAddr, time::Instant};

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
use crate::runtime::builtin::model::{ModelChunk, PromptMessage, PromptRole, Usage};

const KEY: &str = "sk-very-secret-0123456789";

type Answering = Arc<dyn Fn() -> Response + Send + Sync>;

/// An endpoint that answers in one way and keeps what it was asked.
struct StandIn {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

impl StandIn {
    async fn answering(answer: impl Fn() -> Response + Send + Sync + 'static) -> Self {
        let asked: Arc<Mutex<Vec<(HeaderMap, Value)>>> = Arc::default();
        let answer: Answering = Arc::new(answer);
        let handler = |State((asked, answer)): State<(Arc<Mutex<Vec<_>>>, Answering)>,
                       headers: HeaderMap,
                       Json(body): Json<Value>| async move {
            asked.lock().push((headers, body));
            answer()
        };
        let router =
            Router::new().route("/v1/chat/completions", post(handler)).with_state((Arc::clone(&asked), answer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { address, asked }
    }

    fn client(&self) -> OpenAiModels {
        client_of(&format!("http://{}/v1/", self.address), Some(KEY))
    }

    async fn ask(&self) -> Result<Vec<ModelChunk>, String> {
        collect(&self.client()).await
    }
}

fn client_of(url: &str, key: Option<&str>) -> OpenAiModels {
    patient_client_of(url, key, Duration::from_secs(30))
}

fn patient_client_of(url: &str, key: Option<&str>, patience: Duration) -> OpenAiModels {
    let names = [((full_provider("openai"), "gpt-4o".to_owned()), "llama3:8b".to_owned())];
    OpenAiModels::new(OpenAiSettings {
        base_url: url.parse().unwrap(),
        api_key: key.map(Secret::new),
        names: names.into(),
        first_byte: patience,
        idle: patience,
    })
    .unwrap()
}

fn prompt() -> Prompt {
    let parameters = json!({
        "temperature": 0.2, "top_p": 1, "max_tokens": 9, "stop": [], "seed": 7, "presence_penalty": 0.5,
        "n": 5, "stream": false, "tools": [{}], "response_format": "json_schema", "json_schema": "{\"name\":\"x\"}",
    });
    let Value::Object(parameters) = parameters else { unreachable!() };
    let message = |role, text: &str| PromptMessage { role, text: text.to_owned() };
    Prompt {
        provider: "openai".to_owned(),
        model: "gpt-4o".to_owned(),
        parameters,
        messages: vec![
            message(PromptRole::System, "Be kind."),
            message(PromptRole::User, "Hi"),
            message(PromptRole::Assistant, "Hello"),
        ],
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
async fn an_answer_streams_and_ends_with_its_usage() {
    let endpoint = StandIn::answering(|| {
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

    let (headers, body) = endpoint.asked.lock().pop().unwrap();
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
async fn an_endpoint_without_a_key_gets_none_and_one_that_omits_the_end_is_believed() {
    let endpoint = StandIn::answering(|| events([delta("a"), "data: [DONE]\n\n".to_owned()])).await;
    let client = client_of(&format!("http://{}/v1", endpoint.address), None);
    assert_eq!(collect(&client).await.unwrap(), [text("a")]);
    assert!(!endpoint.asked.lock()[0].0.contains_key("authorization"));
    // Why it ended is told as the endpoint tells it; tokens that nobody counted are not.
    let endpoint =
        StandIn::answering(|| events([delta("a"), end().replace("stop", "length").replace("null", "{}")])).await;
    assert_eq!(endpoint.ask().await.unwrap(), [text("a"), ModelChunk::Finish("length".to_owned())]);
}

#[tokio::test]
async fn refusals_are_told_once_in_short_sentences_without_the_key() {
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
        let endpoint = StandIn::answering(move || {
            (status, [("location", "http://127.0.0.1:1/")], Json(body.clone())).into_response()
        })
        .await;
        let told = endpoint.ask().await.unwrap_err();
        assert!(told.contains(expected), "{status}: {told}");
        assert!(!told.contains("sk-") && told.len() < 500 && !told.contains('\n'), "{told}");
        assert_eq!(endpoint.asked.lock().len(), 1, "{status} was tried again");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_is_garbage_is_an_error_after_what_came() {
    let cut = || {
        let frames = [Ok(Bytes::from(delta("a"))), Err(std::io::Error::other("gone"))];
        // The first frame is on its way before the connection goes.
        let body = Body::from_stream(stream::iter(frames).then(|frame| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            frame
        }));
        Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
    };
    assert_eq!(
        StandIn::answering(cut).await.ask().await.unwrap_err(),
        "after 1: The model endpoint's answer ended early."
    );
    let early = || events([delta("a")]);
    assert_eq!(
        StandIn::answering(early).await.ask().await.unwrap_err(),
        "after 1: The model endpoint's answer ended early."
    );
    let garbage = || events([delta("a"), "data: {nonsense\n\n".to_owned(), end()]);
    let told = StandIn::answering(garbage).await.ask().await.unwrap_err();
    assert_eq!(told, "after 1: The model endpoint's answer could not be understood.");
    let reported = || events([delta("a"), "data: {\"error\":{\"message\":\"out of memory\"}}\n\n".to_owned()]);
    let told = StandIn::answering(reported).await.ask().await.unwrap_err();
    assert_eq!(told, "after 1: The model endpoint failed in the middle of its answer: out of memory");
    let whole = || Json(json!({"choices": [{"message": {"content": "a"}}]})).into_response();
    assert_eq!(
        StandIn::answering(whole).await.ask().await.unwrap_err(),
        "The model endpoint does not stream its answers."
    );
}

#[tokio::test]
async fn an_endpoint_that_is_away_or_silent_is_given_up() {
    let told = collect(&client_of("http://127.0.0.1:1/v1", None)).await.unwrap_err();
    assert_eq!(told, "The model endpoint cannot be reached. Check OPENAI_BASE_URL.");
    let silent = || {
        let body = stream::iter([Ok::<_, Infallible>(Bytes::from(delta("a")))]).chain(stream::pending());
        Response::builder().header("content-type", "text/event-stream").body(Body::from_stream(body)).unwrap()
    };
    let endpoint = StandIn::answering(silent).await;
    let client = patient_client_of(&format!("http://{}/v1", endpoint.address), None, Duration::from_millis(300));
    let begun = Instant::now();
    let told = collect(&client).await.unwrap_err();
    // On a busy machine the first word may be late already.
    assert!(told.ends_with("The model endpoint did not answer in time."), "{told}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn answers_and_events_without_an_end_are_cut() {
    let endless = || events(std::iter::repeat_with(|| delta(&"x".repeat(10_000))));
    let told = StandIn::answering(endless).await.ask().await.unwrap_err();
    assert!(told.ends_with("The model endpoint's answer is too long."), "{told}");
    let one_event = || events(std::iter::repeat_with(|| format!("data: {}\n", "x".repeat(10_000))));
    let told = StandIn::answering(one_event).await.ask().await.unwrap_err();
    assert_eq!(told, "after 0: The model endpoint's answer is too long.");
}

#[tokio::test]
async fn a_slow_reader_holds_the_endpoint_back() {
    let sent = Arc::new(Mutex::new(0_usize));
    let counted = Arc::clone(&sent);
    let endpoint = StandIn::answering(move || {
        let counted = Arc::clone(&counted);
        events(std::iter::repeat_with(move || {
            *counted.lock() += 1;
            delta(&"x".repeat(1_000))
        }))
    })
    .await;
    let mut chunks = endpoint.client().stream(prompt()).await.unwrap();
    chunks.next().await.unwrap().unwrap();
    // Whatever is under way settles in the socket's buffers, and then nothing more is asked for.
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
    let settled = timeout(Duration::from_secs(30), settled).await.expect("the endpoint is held back");
    assert!(settled < 20_000, "{settled} events of a kilobyte were read ahead");
}

#[test]
fn parameters_that_would_change_the_form_of_an_answer_are_left_out() {
    let parameters = |value: Value| match value {
        Value::Object(parameters) => parameters,
        _ => Map::new(),
    };
    let with = |value| request::body(&Prompt { parameters: parameters(value), ..prompt() }, "m");
    assert_eq!(with(json!({"response_format": "json_object"}))["response_format"], json!({"type": "json_object"}));
    assert_eq!(with(json!({"response_format": ""})).get("response_format"), None);
    assert_eq!(with(json!({"response_format": "json_schema", "json_schema": "{broken"})).get("response_format"), None);
    assert_eq!(with(json!({"stop": ["\n"], "n": 4, "stream": false}))["stop"], json!(["\n"]));
    assert_eq!(with(json!({"n": 4, "stream": false})).get("n"), None);
    assert_eq!(with(json!({"stream": false}))["stream"], true);
}
