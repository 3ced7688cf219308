//! A slow reader does not block other runs on its connection and loses no events.

use serde_json::{Value, json};
use tonic::transport::Endpoint;

use crate::support::{
    Answer, Bearer, Stores, TestServer,
    grpc::{Clients, with_bearer},
    runs::{events, message, prompt_app, wait_for_running},
    server::OWNER,
    tcp_proxy::TcpProxy,
};

/// The flow control window of one stream: much smaller than the long answer.
const STREAM_WINDOW: u32 = 65_535;
/// The window of the connection: larger than the window of one stream.
const CONNECTION_WINDOW: u32 = 1 << 20;
/// The events have a few hundred bytes each, so the answer has megabytes.
const LONG_ANSWER_WORDS: usize = 10_000;
/// The number of runs beside the slow one.
const OTHER_RUNS: usize = 10;

fn words(count: usize) -> String {
    (0..count).map(|index| format!("w{index}")).collect::<Vec<_>>().join(" ")
}

fn body(words: &str) -> Value {
    json!({"inputs": {"name": "Ann"}, "query": format!("Reply exactly: {words}"), "response_mode": "streaming"})
}

/// The answer of a complete stream of events.
fn answer_text(events: &[Value]) -> String {
    assert_eq!(events.last().unwrap()["event"], "message_end");
    events.iter().filter_map(|event| event["answer"].as_str()).collect()
}

on_both_stores!(
    slow_reader_over_json_does_not_block_its_connection,
    slow_reader_over_grpc_does_not_block_its_connection
);

async fn slow_reader_over_json_does_not_block_its_connection(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "token=0")]).await;
    let proxy = TcpProxy::to(server.running().bound.public.port()).await;
    let app = prompt_app(&server, "chat").await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .build()
        .unwrap();
    let url = format!("http://127.0.0.1:{}/openapi/v1/apps/{app}/run", proxy.port);
    let run = |words: &str| client.post(&url).bearer_auth(&bearer.token).json(&body(words));

    let long = words(LONG_ANSWER_WORDS);
    let mut slow = run(&long).send().await.unwrap();
    assert_eq!((slow.status().as_u16(), slow.version()), (200, reqwest::Version::HTTP_2));
    let mut text = slow.chunk().await.unwrap().unwrap().to_vec();
    for nth in 0..OTHER_RUNS {
        let words = format!("run number {nth}");
        let live = Answer::to(run(&words)).await;
        assert_eq!(answer_text(&events(&live.text)), words);
    }
    assert_eq!(proxy.connections(), 1, "all runs share one connection");
    wait_for_running(&server, 1).await;
    while let Some(chunk) = slow.chunk().await.unwrap() {
        text.extend_from_slice(&chunk);
    }
    assert!(answer_text(&events(core::str::from_utf8(&text).unwrap())) == long, "the answer is complete");
    wait_for_running(&server, 0).await;
}

async fn slow_reader_over_grpc_does_not_block_its_connection(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "token=0")]).await;
    let proxy = TcpProxy::to(server.running().bound.public.port()).await;
    let app = prompt_app(&server, "chat").await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let channel = Endpoint::from_shared(format!("http://127.0.0.1:{}", proxy.port))
        .unwrap()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .connect()
        .await
        .unwrap();
    let client = Clients::on(channel).app;
    let run = async |words: &str| {
        let request = with_bearer(message(&app, &body(words)), &bearer.token);
        client.clone().run_app(request).await.unwrap().into_inner()
    };
    let event = |response: dify_openapi::testing::rpc::proto::RunAppResponse| {
        Value::Object(response.data.unwrap().into_members())
    };

    let long = words(LONG_ANSWER_WORDS);
    let mut slow = run(&long).await;
    let mut received = vec![event(slow.message().await.unwrap().unwrap())];
    for nth in 0..OTHER_RUNS {
        let words = format!("run number {nth}");
        let (mut live, mut events) = (run(&words).await, Vec::new());
        while let Some(response) = live.message().await.unwrap() {
            events.push(event(response));
        }
        assert_eq!(answer_text(&events), words);
    }
    assert_eq!(proxy.connections(), 1, "all runs share one connection");
    wait_for_running(&server, 1).await;
    while let Some(response) = slow.message().await.unwrap() {
        received.push(event(response));
    }
    assert!(answer_text(&received) == long, "the answer is complete");
    wait_for_running(&server, 0).await;
}
