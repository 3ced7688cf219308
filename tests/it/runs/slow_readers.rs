//! A reader that stands still holds up nobody who shares its connection, and misses nothing.

use serde_json::{Value, json};
use tonic::transport::Endpoint;

use crate::support::{
    Answer, Bearer, Stores, TestServer,
    grpc::{Clients, with_bearer},
    runs::{events, message, prompt_app, under_way},
    server::OWNER,
    wire::Wire,
};

/// What one stream may be ahead of its reader: far less than the long answer.
const STREAM_WINDOW: u32 = 65_535;
/// What all of them together may be: more than one that stands still can take.
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Events of a few hundred bytes each: megabytes.
const MANY: usize = 10_000;
/// Runs beside the one that is not read.
const LIVE: usize = 10;

fn words(count: usize) -> String {
    (0..count).map(|index| format!("w{index}")).collect::<Vec<_>>().join(" ")
}

fn saying(words: &str) -> Value {
    json!({"inputs": {"name": "Ann"}, "query": format!("Reply exactly: {words}"), "response_mode": "streaming"})
}

/// What the events of an answer say, which must have come to its end.
fn said(events: &[Value]) -> String {
    assert_eq!(events.last().unwrap()["event"], "message_end");
    events.iter().filter_map(|event| event["answer"].as_str()).collect()
}

on_both_stores!(over_json, over_grpc);

async fn over_json(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "token=0")]).await;
    let wire = Wire::to(server.running().bound.public.port()).await;
    let app = prompt_app(&server, "chat").await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .build()
        .unwrap();
    let url = format!("http://127.0.0.1:{}/openapi/v1/apps/{app}/run", wire.port);
    let run = |words: &str| client.post(&url).bearer_auth(&bearer.token).json(&saying(words));

    let long = words(MANY);
    let mut still = run(&long).send().await.unwrap();
    assert_eq!((still.status().as_u16(), still.version()), (200, reqwest::Version::HTTP_2));
    let mut text = still.chunk().await.unwrap().unwrap().to_vec();
    for nth in 0..LIVE {
        let words = format!("run number {nth}");
        let live = Answer::to(run(&words)).await;
        assert_eq!(said(&events(&live.text)), words);
    }
    assert_eq!(wire.connections(), 1, "they share it");
    under_way(&server, 1).await;
    while let Some(chunk) = still.chunk().await.unwrap() {
        text.extend_from_slice(&chunk);
    }
    assert!(said(&events(core::str::from_utf8(&text).unwrap())) == long, "words are missing");
    under_way(&server, 0).await;
}

async fn over_grpc(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "token=0")]).await;
    let wire = Wire::to(server.running().bound.public.port()).await;
    let app = prompt_app(&server, "chat").await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let channel = Endpoint::from_shared(format!("http://127.0.0.1:{}", wire.port))
        .unwrap()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .connect()
        .await
        .unwrap();
    let client = Clients::on(channel).app;
    let run = async |words: &str| {
        let request = with_bearer(message(&app, &saying(words)), &bearer.token);
        client.clone().run_app(request).await.unwrap().into_inner()
    };
    let event = |response: dify_openapi::testing::rpc::proto::RunAppResponse| {
        Value::Object(response.data.unwrap().into_members())
    };

    let long = words(MANY);
    let mut still = run(&long).await;
    let mut heard = vec![event(still.message().await.unwrap().unwrap())];
    for nth in 0..LIVE {
        let words = format!("run number {nth}");
        let (mut live, mut events) = (run(&words).await, Vec::new());
        while let Some(response) = live.message().await.unwrap() {
            events.push(event(response));
        }
        assert_eq!(said(&events), words);
    }
    assert_eq!(wire.connections(), 1, "they share it");
    under_way(&server, 1).await;
    while let Some(response) = still.message().await.unwrap() {
        heard.push(event(response));
    }
    assert!(said(&heard) == long, "words are missing");
    under_way(&server, 0).await;
}
