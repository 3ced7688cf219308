//! Errors of Dify and of the connection to it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{body::Bytes, response::Response};
use dify_openapi::testing::{
    domain::{AppMode, ConversationId},
    ports::AppRuntime as _,
};
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use uuid::Uuid;

use super::{
    fake_dify::{
        FakeDify, TASK_ID, UnacceptingListener, cut_events, error_response, events, frame, open_events, streaming,
    },
    fixture::{Fixture, collect, settings},
    message, message_end, workflow,
};

async fn outcome(fixture: &Fixture, mode: AppMode) -> (usize, Option<&'static str>) {
    match fixture.runtime.start(fixture.run(mode)).await {
        Ok(stream) => {
            let (events, error) = collect(stream).await;
            (events.len(), error)
        }
        Err(error) => (0, Some(error.code().as_str())),
    }
}

async fn upstream_with(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> (FakeDify, Fixture) {
    let upstream = FakeDify::start(move |_| {
        let answer = answer.clone();
        async move { answer() }
    })
    .await;
    let fixture = Fixture::new(&upstream).await;
    (upstream, fixture)
}

#[tokio::test]
async fn slow_first_byte_returns_upstream_timeout() {
    let slow_head = FakeDify::start(|_| async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        events([frame(&message_end())])
    })
    .await;
    let slow_body = FakeDify::start(|_| async { open_events(Vec::new()) }).await;
    for upstream in [slow_head, slow_body] {
        let patience = Duration::from_millis(200);
        let fixture = Fixture::with_settings(dify_openapi::testing::runtime::DifySettings {
            first_byte_timeout: patience,
            ..settings(&upstream.url)
        })
        .await;
        let since = Instant::now();
        assert_eq!(outcome(&fixture, AppMode::Chat).await, (0, Some("upstream_timeout")));
        assert!(since.elapsed() >= patience && since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
        assert_eq!(upstream.runs().len(), 1, "a run is never sent again");
    }
}

#[tokio::test]
async fn refused_connection_returns_upstream_error() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    assert_eq!(
        outcome(&Fixture::with_settings(settings(&url)).await, AppMode::Chat).await,
        (0, Some("upstream_error"))
    );
}

#[tokio::test]
async fn connect_timeout_returns_upstream_timeout() {
    let listener = UnacceptingListener::start().await;
    let (patience, since) = (Duration::from_secs(1), Instant::now());
    let settings =
        dify_openapi::testing::runtime::DifySettings { connect_timeout: patience, ..settings(&listener.url) };
    assert_eq!(outcome(&Fixture::with_settings(settings).await, AppMode::Chat).await, (0, Some("upstream_timeout")));
    assert!(since.elapsed() >= patience && since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
}

#[tokio::test]
async fn run_timeout_and_shutdown_end_the_run_and_stop_it_upstream() {
    let soon = Duration::from_millis(200);
    let end = tokio_util::sync::CancellationToken::new();
    for (code, change) in [("upstream_timeout", false), ("service_unavailable", true)] {
        let upstream = FakeDify::start(|_| async { open_events(vec![frame(&message("a"))]) }).await;
        let mut settings = dify_openapi::testing::runtime::DifySettings { end: end.clone(), ..settings(&upstream.url) };
        if change {
            let end = end.clone();
            tokio::spawn(async move {
                tokio::time::sleep(soon).await;
                end.cancel();
            });
        } else {
            settings.run_timeout = soon;
        }
        let fixture = Fixture::with_settings(settings).await;
        assert_eq!(outcome(&fixture, AppMode::Chat).await, (1, Some(code)));
        assert_eq!(upstream.wait_for_stop().await.len(), 1, "{code}");
    }
}

#[tokio::test]
async fn interrupted_stream_ends_with_upstream_error() {
    let (upstream, fixture) = upstream_with(|| cut_events(vec![frame(&message("a"))])).await;
    assert_eq!(outcome(&fixture, AppMode::Chat).await, (1, Some("upstream_error")));
    assert_eq!(upstream.runs().len(), 1);
    // Dify may still run it.
    assert_eq!(upstream.wait_for_stop().await.len(), 1);
    // The stream ends correctly but without the final event.
    for mode in [AppMode::Chat, AppMode::Workflow, AppMode::AdvancedChat] {
        let (_upstream, fixture) = upstream_with(|| events([frame(&workflow("workflow_started"))])).await;
        assert_eq!(outcome(&fixture, mode).await, (1, Some("upstream_error")), "{mode:?}");
        let (_upstream, fixture) = upstream_with(|| events([String::new()])).await;
        assert_eq!(outcome(&fixture, mode).await, (0, Some("upstream_error")), "{mode:?}");
    }
}

#[tokio::test]
async fn failed_workflow_ends_the_stream_without_error() {
    let (upstream, fixture) = upstream_with(|| {
        events(
            [json!({"event": "workflow_finished", "task_id": TASK_ID, "data": {"status": "failed"}})]
                .map(|event| frame(&event)),
        )
    })
    .await;
    assert_eq!(outcome(&fixture, AppMode::Workflow).await, (1, None));
    assert!(upstream.received_no_stop().await);
}

#[tokio::test]
async fn malformed_frames_end_the_run_with_an_error_without_content() {
    let bad: [&[u8]; 9] = [
        b"data: {\"event\":\"message\",\"secret\":\n\n",
        b"data: {\"event\":\"message\"} secret\n\n",
        b"data: {\"task_id\":\"secret\"}\n\n",
        b"data: [\"secret\"]\n\n",
        b"data: secret\n\n",
        b"data:\n\n",
        b"data: {\"event\":7,\"answer\":\"secret\"}\n\n",
        b"data: {\"event\":\"message\",\"answer\":\"\xff\xfe\"}\n\n",
        b"data: {\"event\":\ndata: \"message\"}\n\n",
    ];
    for bad in bad {
        let frames = [Bytes::from(frame(&message("a"))), Bytes::from_static(bad), Bytes::from(frame(&message("b")))];
        let (upstream, fixture) = upstream_with(move || {
            streaming(stream::iter(frames.clone().map(Ok::<_, std::convert::Infallible>)).chain(stream::pending()))
        })
        .await;
        let mut stream = fixture.runtime.start(fixture.run(AppMode::Chat)).await.unwrap();
        assert!(stream.next().await.unwrap().is_ok());
        let error = stream.next().await.unwrap().unwrap_err();
        let shown = String::from_utf8_lossy(bad);
        assert_eq!(error.code().as_str(), "upstream_error", "{shown}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        assert!(stream.next().await.is_none(), "{shown}");
        assert_eq!(upstream.wait_for_stop().await.len(), 1, "{shown}");
    }
}

#[tokio::test]
async fn endless_line_returns_upstream_error() {
    let (_upstream, fixture) = upstream_with(|| {
        streaming(stream::repeat_with(|| Ok::<_, std::convert::Infallible>(Bytes::from(vec![b'x'; 1 << 20]))))
    })
    .await;
    assert_eq!(outcome(&fixture, AppMode::Chat).await, (0, Some("upstream_error")));
}

#[tokio::test]
async fn upstream_error_codes_are_mapped() {
    for (status, code, expected) in [
        (400, "app_unavailable", "app_unavailable"),
        (400, "provider_not_initialize", "app_unavailable"),
        (400, "provider_quota_exceeded", "app_unavailable"),
        (400, "model_currently_not_support", "app_unavailable"),
        (400, "not_chat_app", "app_unavailable"),
        (400, "completion_request_error", "upstream_error"),
        (400, "conversation_completed", "invalid_param"),
        (400, "invalid_param", "invalid_param"),
        (403, "forbidden", "not_found"),
        (404, "not_found", "not_found"),
        (429, "too_many_requests", "rate_limited"),
        (500, "internal_server_error", "upstream_error"),
        (502, "unknown", "upstream_error"),
        (504, "unknown", "upstream_timeout"),
    ] {
        let body = json!({"code": code, "message": "Dify's own message.", "status": status}).to_string();
        let (upstream, fixture) = upstream_with(move || error_response(status, "application/json", body.clone())).await;
        let mut run = fixture.run(AppMode::Chat);
        run.conversation_id = Some(ConversationId(Uuid::new_v4()));
        let error = fixture.runtime.start(run).await.unwrap_err();
        assert_eq!(error.code().as_str(), expected, "{status} {code}");
        assert_eq!(error.retry_after().is_some(), status == 429);
        assert_eq!(upstream.runs().len(), 1, "{status} {code}");
        assert!(upstream.received_no_stop().await);
    }
}

#[tokio::test]
async fn responses_that_are_not_event_streams_return_upstream_error() {
    let endless = || {
        let pieces = stream::repeat_with(|| Ok::<_, std::convert::Infallible>(Bytes::from(vec![b'x'; 1 << 16])));
        error_response(500, "application/json", axum::body::Body::from_stream(pieces))
    };
    let (_upstream, fixture) = upstream_with(endless).await;
    assert_eq!(outcome(&fixture, AppMode::Chat).await, (0, Some("upstream_error")));
    for (status, kind) in [(200, "application/json"), (200, "text/html"), (502, "text/html"), (404, "text/html")] {
        let (_upstream, fixture) = upstream_with(move || error_response(status, kind, "<html>secret</html>")).await;
        let error = fixture.runtime.start(fixture.run(AppMode::Chat)).await.unwrap_err();
        assert_eq!(error.code().as_str(), "upstream_error", "{status} {kind}");
        assert!(!error.message().contains("secret"));
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = FakeDify::sending(&[message_end()]).await;
    let url = elsewhere.url.clone();
    let (_upstream, fixture) = upstream_with(move || {
        Response::builder().status(307).header("location", format!("{url}/v1/chat-messages")).body("".into()).unwrap()
    })
    .await;
    assert_eq!(outcome(&fixture, AppMode::Chat).await, (0, Some("upstream_error")));
    assert!(elsewhere.runs().is_empty());
}

#[tokio::test]
async fn error_events_are_mapped_like_error_responses() {
    let error = |status: u16, code: &str| {
        let mut event = json!({"event": "error", "task_id": TASK_ID, "message": "So."});
        event["status"] = json!(status);
        event["code"] = json!(code);
        event
    };
    let first = error(400, "provider_quota_exceeded");
    let (upstream, fixture) = upstream_with(move || events([frame(&first)])).await;
    assert_eq!(fixture.runtime.start(fixture.run(AppMode::Chat)).await.unwrap_err().code().as_str(), "app_unavailable");
    assert!(upstream.received_no_stop().await);
    let later = error(500, "internal_server_error");
    let (upstream, fixture) = upstream_with(move || events([frame(&message("a")), frame(&later)])).await;
    assert_eq!(outcome(&fixture, AppMode::Chat).await, (1, Some("upstream_error")));
    assert!(upstream.received_no_stop().await);
}

#[tokio::test]
async fn run_over_the_connection_limit_returns_rate_limited() {
    let upstream = FakeDify::start(|_| async { open_events(vec![frame(&message("a"))]) }).await;
    let settings = dify_openapi::testing::runtime::DifySettings { max_connections: 2, ..settings(&upstream.url) };
    let fixture = Fixture::with_settings(settings).await;
    let first = fixture.runtime.start(fixture.run(AppMode::Chat)).await.unwrap();
    let _second = fixture.runtime.start(fixture.run(AppMode::Chat)).await.unwrap();
    let error = fixture.runtime.start(fixture.run(AppMode::Chat)).await.unwrap_err();
    assert_eq!(error.code().as_str(), "rate_limited");
    assert!(error.retry_after().is_some());
    drop(first);
    upstream.wait_for_stop().await;
    assert!(fixture.runtime.start(fixture.run(AppMode::Chat)).await.is_ok());
}

#[tokio::test]
async fn slow_reader_applies_backpressure_to_the_upstream() {
    const PIECE: usize = 1 << 20;
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let upstream = FakeDify::start(move |_| {
        let counter = Arc::clone(&counter);
        async move {
            let long = frame(&message(&"x".repeat(PIECE)));
            streaming(stream::repeat_with(move || {
                counter.fetch_add(1, Ordering::Relaxed);
                Ok::<_, std::convert::Infallible>(Bytes::from(long.clone()))
            }))
        }
    })
    .await;
    let fixture = Fixture::new(&upstream).await;
    let mut stream = fixture.runtime.start(fixture.run(AppMode::Chat)).await.unwrap();
    let mut before = 0;
    // Waits until the upstream cannot send more.
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = sent.load(Ordering::Relaxed);
        if now == before && now > 0 {
            break;
        }
        before = now;
    }
    // The buffers of the runtime and of the sockets.
    assert!(before < 40, "{before} events of {PIECE} bytes were read ahead");
    for _ in 0..5 {
        assert!(stream.next().await.unwrap().is_ok());
    }
}
