//! Listeners that go away: the run is stopped at Dify, once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::body::Bytes;
use dify_openapi::testing::{domain::app::AppMode, ports::runtime::AppRuntime as _};
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::{
    bench::Bench,
    message, message_end,
    stand_in::{StandIn, TASK, events, frame, open_events, streaming},
};

/// Tells when it is dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

async fn until(fact: &AtomicBool) {
    for _ in 0..500 {
        if fact.load(Ordering::Acquire) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the connection was not dropped");
}

/// Waits until no more is sent, as nobody takes it.
async fn stalls(sent: &AtomicUsize) {
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
    panic!("{before} events were sent, and there is no end of it");
}

#[tokio::test]
async fn a_run_nobody_listens_to_is_stopped_once_as_the_same_user() {
    for (mode, path) in [
        (AppMode::Chat, format!("/v1/chat-messages/{TASK}/stop")),
        (AppMode::AdvancedChat, format!("/v1/chat-messages/{TASK}/stop")),
        (AppMode::Completion, format!("/v1/completion-messages/{TASK}/stop")),
        (AppMode::Workflow, format!("/v1/workflows/tasks/{TASK}/stop")),
    ] {
        let dropped = Arc::new(AtomicBool::new(false));
        let guard = Arc::clone(&dropped);
        let upstream = StandIn::start(move |_| {
            let guard = Dropped(Arc::clone(&guard));
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
        let bench = Bench::before(&upstream).await;
        let mut stream = bench.runtime.start(bench.run(mode)).await.unwrap();
        assert!(stream.next().await.unwrap().is_ok());
        drop(stream);
        let stops = upstream.stops().await;
        assert_eq!(stops.len(), 1, "{mode:?}");
        assert_eq!((&stops[0].path, &stops[0].body), (&path, &json!({"user": "caller-1"})));
        assert_eq!(stops[0].key, upstream.runs()[0].key);
        until(&dropped).await;
        bench.tasks.close();
        tokio::time::timeout(Duration::from_secs(5), bench.tasks.wait()).await.unwrap();
    }
}

#[tokio::test]
async fn whoever_leaves_before_the_first_event_stops_the_run_when_it_comes() {
    let upstream = StandIn::start(|_| async {
        let late = stream::once(async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok::<_, std::convert::Infallible>(Bytes::from(frame(&message("a"))))
        });
        streaming(late.chain(stream::pending()))
    })
    .await;
    let bench = Bench::before(&upstream).await;
    let asked = bench.runtime.start(bench.run(AppMode::Chat));
    assert!(tokio::time::timeout(Duration::from_millis(100), asked).await.is_err(), "it began too early");
    assert_eq!(upstream.stops().await.len(), 1);
}

#[tokio::test]
async fn a_reader_that_stands_still_and_then_leaves_stops_the_run() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let upstream = StandIn::start(move |_| {
        let (sent, piece) = (Arc::clone(&counter), Bytes::from(frame(&message(&"x".repeat(16 << 10)))));
        // It has no end: nothing stops it but a reader who takes no more.
        let pieces = stream::repeat_with(move || {
            sent.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::convert::Infallible>(piece.clone())
        });
        async move { streaming(pieces) }
    })
    .await;
    let bench = Bench::before(&upstream).await;
    let stream = bench.runtime.start(bench.run(AppMode::Chat)).await.unwrap();
    stalls(&sent).await;
    drop(stream);
    assert_eq!(upstream.stops().await.len(), 1);
}

#[tokio::test]
async fn leaving_after_the_last_event_stops_nothing() {
    let upstream = StandIn::start(|_| async { events([frame(&message("a")), frame(&message_end())]) }).await;
    let bench = Bench::before(&upstream).await;
    let mut stream = bench.runtime.start(bench.run(AppMode::Chat)).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    assert!(stream.next().await.unwrap().is_ok());
    drop(stream);
    assert!(upstream.stopped_nothing().await);
}

#[tokio::test]
async fn a_task_id_that_could_be_a_path_is_not_used_as_one() {
    let upstream = StandIn::start(|_| async {
        open_events(vec![frame(&json!({"event": "message", "task_id": "../../console/api", "answer": ""}))])
    })
    .await;
    let bench = Bench::before(&upstream).await;
    let mut stream = bench.runtime.start(bench.run(AppMode::Chat)).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    drop(stream);
    assert!(upstream.stopped_nothing().await);
}
