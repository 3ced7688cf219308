//! A dropped stream stops the run at Dify once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::body::Bytes;
use dify_openapi::testing::{
    domain::AppMode,
    ports::{AppRuntime as _, RunOfUser},
};
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::{
    fake_dify::{FakeDify, TASK_ID, events, frame, open_events, streaming},
    fixture::Fixture,
    message, message_end,
};

/// Sets a flag when it is dropped.
struct DropFlag(Arc<AtomicBool>);

impl Drop for DropFlag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

async fn wait_until_set(fact: &AtomicBool) {
    for _ in 0..500 {
        if fact.load(Ordering::Acquire) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the connection was not dropped");
}

/// Waits until the upstream cannot send more, because the events are not read.
async fn wait_until_stalled(sent: &AtomicUsize) {
    let (mut before, mut unchanged) = (0, 0);
    for _ in 0..1_000 {
        let now = sent.load(Ordering::Relaxed);
        unchanged = if now > 0 && now == before { unchanged + 1 } else { 0 };
        if unchanged == 20 {
            return;
        }
        before = now;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{before} events were sent without backpressure");
}

#[tokio::test]
async fn dropped_stream_stops_the_run_once_as_the_same_user() {
    for (mode, path) in [
        (AppMode::Chat, format!("/v1/chat-messages/{TASK_ID}/stop")),
        (AppMode::AdvancedChat, format!("/v1/chat-messages/{TASK_ID}/stop")),
        (AppMode::Completion, format!("/v1/completion-messages/{TASK_ID}/stop")),
        (AppMode::Workflow, format!("/v1/workflows/tasks/{TASK_ID}/stop")),
    ] {
        let dropped = Arc::new(AtomicBool::new(false));
        let guard = Arc::clone(&dropped);
        let upstream = FakeDify::start(move |_| {
            let guard = DropFlag(Arc::clone(&guard));
            async move {
                let ticks = stream::unfold((guard, 0), |(guard, n)| async move {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    let piece = Bytes::from(frame(&message(&n.to_string())));
                    Some((Ok::<_, std::convert::Infallible>(piece), (guard, n + 1)))
                });
                streaming(ticks)
            }
        })
        .await;
        let fixture = Fixture::new(&upstream).await;
        let mut stream = fixture.runtime.start(fixture.run(mode)).await.unwrap();
        assert!(stream.next().await.unwrap().is_ok());
        drop(stream);
        let stops = upstream.wait_for_stop().await;
        assert_eq!(stops.len(), 1, "{mode:?}");
        assert_eq!((&stops[0].path, &stops[0].body), (&path, &json!({"user": "caller-1"})));
        assert_eq!(stops[0].key, upstream.runs()[0].key);
        wait_until_set(&dropped).await;
        fixture.tasks.close();
        tokio::time::timeout(Duration::from_secs(5), fixture.tasks.wait()).await.unwrap();
    }
}

#[tokio::test]
async fn stop_of_a_task_is_forwarded_as_the_same_user() {
    let upstream = FakeDify::sending(&[]).await;
    let fixture = Fixture::new(&upstream).await;
    let run = fixture.run(AppMode::Workflow);
    let task = TASK_ID.parse().unwrap();
    fixture.runtime.stop(RunOfUser { app: &run.app, user: "caller-1" }, task).await.unwrap();
    let stops = upstream.wait_for_stop().await;
    assert_eq!(stops[0].path, format!("/v1/workflows/tasks/{TASK_ID}/stop"));
    assert_eq!(stops[0].body, json!({"user": "caller-1"}));
}

#[tokio::test]
async fn run_dropped_before_its_first_event_is_stopped() {
    let upstream = FakeDify::start(|_| async {
        let late = stream::once(async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok::<_, std::convert::Infallible>(Bytes::from(frame(&message("a"))))
        });
        streaming(late.chain(stream::pending()))
    })
    .await;
    let fixture = Fixture::new(&upstream).await;
    let start = fixture.runtime.start(fixture.run(AppMode::Chat));
    assert!(
        tokio::time::timeout(Duration::from_millis(100), start).await.is_err(),
        "the run started before its first byte"
    );
    assert_eq!(upstream.wait_for_stop().await.len(), 1);
}

#[tokio::test]
async fn stalled_and_dropped_stream_stops_the_run() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let upstream = FakeDify::start(move |_| {
        let (sent, piece) = (Arc::clone(&counter), Bytes::from(frame(&message(&"x".repeat(16 << 10)))));
        // The stream is endless; only backpressure stops it.
        let pieces = stream::repeat_with(move || {
            sent.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::convert::Infallible>(piece.clone())
        });
        async move { streaming(pieces) }
    })
    .await;
    let fixture = Fixture::new(&upstream).await;
    let stream = fixture.runtime.start(fixture.run(AppMode::Chat)).await.unwrap();
    wait_until_stalled(&sent).await;
    drop(stream);
    assert_eq!(upstream.wait_for_stop().await.len(), 1);
}

#[tokio::test]
async fn stream_dropped_after_the_last_event_stops_nothing() {
    let upstream = FakeDify::start(|_| async { events([frame(&message("a")), frame(&message_end())]) }).await;
    let fixture = Fixture::new(&upstream).await;
    let mut stream = fixture.runtime.start(fixture.run(AppMode::Chat)).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    assert!(stream.next().await.unwrap().is_ok());
    drop(stream);
    assert!(upstream.received_no_stop().await);
}

#[tokio::test]
async fn task_id_that_is_not_a_uuid_is_not_used_in_a_path() {
    let upstream = FakeDify::start(|_| async {
        open_events(vec![frame(&json!({"event": "message", "task_id": "../../console/api", "answer": ""}))])
    })
    .await;
    let fixture = Fixture::new(&upstream).await;
    let mut stream = fixture.runtime.start(fixture.run(AppMode::Chat)).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    drop(stream);
    assert!(upstream.received_no_stop().await);
}
