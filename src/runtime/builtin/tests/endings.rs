//! Runs that end early: the client disconnects, the server stops, or the run times out.

use std::time::Instant;

use super::*;

#[tokio::test]
async fn disconnected_client_stops_the_run_and_it_is_stored_as_stopped() {
    let test = TestRuntime::new().await;
    for run in [
        prompt_request(AppMode::Chat, "hang"),
        graph_request(AppMode::AdvancedChat, "hang"),
        graph_request(AppMode::Workflow, "hang"),
    ] {
        let mut stream = test.runtime.start(run).await.unwrap();
        while test.models.open_streams.load(Ordering::Relaxed) == 0 {
            stream.next().await.unwrap().unwrap();
        }
        drop(stream);
        let stopped = async {
            while test.models.open_streams.load(Ordering::Relaxed) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), stopped).await.expect("the call of the model is dropped");
    }
    test.wait_for_all_runs().await;
    assert_eq!(test.count("messages WHERE status = 'normal' AND error = 'The client disconnected.'").await, 2);
    assert_eq!(test.count("workflow_runs WHERE status = 'stopped' AND error = 'The client disconnected.'").await, 2);
}

#[tokio::test]
async fn server_shutdown_ends_streams_with_an_error_and_stores_the_runs() {
    let test = TestRuntime::new().await;
    let mut streams = Vec::new();
    for run in [
        prompt_request(AppMode::Chat, "hang"),
        graph_request(AppMode::AdvancedChat, "hang"),
        graph_request(AppMode::Workflow, "hang"),
    ] {
        streams.push(test.runtime.start(run).await.unwrap());
    }
    while test.models.open_streams.load(Ordering::Relaxed) < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let begun = Instant::now();
    test.shutdown.cancel();
    for mut stream in streams {
        let mut last = None;
        while let Some(event) = stream.next().await {
            last = Some(event);
        }
        assert_eq!(last.unwrap().unwrap_err().code(), Code::ServiceUnavailable);
    }
    test.wait_for_all_runs().await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(test.count("messages WHERE error = 'The server stopped.'").await, 2);
    assert_eq!(test.count("workflow_runs WHERE status = 'stopped' AND error = 'The server stopped.'").await, 2);
}

#[tokio::test]
async fn run_timeout_ends_runs_of_both_kinds_even_if_unread() {
    let limits = RunLimits { run_timeout: Duration::from_millis(200), ..RunLimits::default() };
    let test = TestRuntime::with(limits, 100).await;
    let mut stream = test.runtime.start(prompt_request(AppMode::Chat, "hang")).await.unwrap();
    stream.next().await.unwrap().unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap_err().code(), Code::UpstreamTimeout);
    let events = test.run(graph_request(AppMode::Workflow, "hang")).await;
    assert_eq!(events.last().unwrap()["data"]["status"], "failed");
    // Runs that have an idle reader time out and are stored, too.
    let many = format!("Reply exactly: {}", "word ".repeat(5_000));
    let unread = [
        test.runtime.start(prompt_request(AppMode::Chat, &many)).await,
        test.runtime.start(graph_request(AppMode::Workflow, &many)).await,
    ];
    let stored = async {
        while test.count("workflow_runs").await < 2 || test.count("messages").await < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), stored).await.expect("unread runs are stored");
    drop(unread);
    test.wait_for_all_runs().await;
    assert_eq!(test.count("workflow_runs WHERE status = 'failed'").await, 2);
}
