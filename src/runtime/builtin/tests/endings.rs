//! Runs that end before their end: left, stopped with the server, or out of time.

use std::time::Instant;

use super::*;

#[tokio::test]
async fn whoever_leaves_stops_the_run_and_it_is_stored_as_stopped() {
    let stand = Stand::new().await;
    for run in [request(AppMode::Chat, "hang"), graph(AppMode::AdvancedChat, "hang"), graph(AppMode::Workflow, "hang")]
    {
        let mut stream = stand.runtime.start(run).await.unwrap();
        while stand.models.open.load(Ordering::Relaxed) == 0 {
            stream.next().await.unwrap().unwrap();
        }
        drop(stream);
        let stopped = async {
            while stand.models.open.load(Ordering::Relaxed) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), stopped).await.expect("the model is hung up on");
    }
    stand.settle().await;
    assert_eq!(stand.count("messages WHERE status = 'normal' AND error = 'The client disconnected.'").await, 2);
    assert_eq!(stand.count("workflow_runs WHERE status = 'stopped' AND error = 'The client disconnected.'").await, 2);
}

#[tokio::test]
async fn a_server_that_stops_tells_its_readers_and_stores_their_runs() {
    let stand = Stand::new().await;
    let mut streams = Vec::new();
    for run in [request(AppMode::Chat, "hang"), graph(AppMode::AdvancedChat, "hang"), graph(AppMode::Workflow, "hang")]
    {
        streams.push(stand.runtime.start(run).await.unwrap());
    }
    while stand.models.open.load(Ordering::Relaxed) < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let begun = Instant::now();
    stand.end.cancel();
    for mut stream in streams {
        let mut last = None;
        while let Some(event) = stream.next().await {
            last = Some(event);
        }
        assert_eq!(last.unwrap().unwrap_err().code(), Code::ServiceUnavailable);
    }
    stand.settle().await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(stand.count("messages WHERE error = 'The server stopped.'").await, 2);
    assert_eq!(stand.count("workflow_runs WHERE status = 'stopped' AND error = 'The server stopped.'").await, 2);
}

#[tokio::test]
async fn runs_end_with_their_time() {
    let limits = RunLimits { run_timeout: Duration::from_millis(200), ..RunLimits::default() };
    let stand = Stand::with(limits, 100).await;
    let mut stream = stand.runtime.start(request(AppMode::Chat, "hang")).await.unwrap();
    stream.next().await.unwrap().unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap_err().code(), Code::UpstreamTimeout);
    let events = stand.play(graph(AppMode::Workflow, "hang")).await;
    assert_eq!(events.last().unwrap()["data"]["status"], "failed");
    // A reader who does not read holds up neither the clock nor the row.
    let many = format!("Reply exactly: {}", "word ".repeat(5_000));
    let unread = [
        stand.runtime.start(request(AppMode::Chat, &many)).await,
        stand.runtime.start(graph(AppMode::Workflow, &many)).await,
    ];
    let stored = async {
        while stand.count("workflow_runs").await < 2 || stand.count("messages").await < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), stored).await.expect("runs nobody reads are stored too");
    drop(unread);
    stand.settle().await;
    assert_eq!(stand.count("workflow_runs WHERE status = 'failed'").await, 2);
}
