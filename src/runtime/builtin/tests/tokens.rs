//! What runs took, as their rows keep it, however they end.

use super::*;

/// The one whose run ended has a message of so many tokens.
async fn assert_taken(stand: &Stand, prompt: u32, answer: u32) {
    let rows = format!("messages WHERE message_tokens = {prompt} AND answer_tokens = {answer}");
    assert_eq!((stand.count("messages").await, stand.count(&rows).await), (1, 1), "{prompt} and {answer}");
}

#[tokio::test]
async fn a_model_that_breaks_off_took_what_it_was_asked_and_said() {
    for run in [request(AppMode::Chat, "break"), graph(AppMode::AdvancedChat, "break")] {
        let is_graph = run.app.mode.has_graph();
        let stand = Stand::new().await;
        stand.play(run).await;
        stand.settle().await;
        // The graph asks with the query alone.
        assert_taken(&stand, if is_graph { 2 } else { 8 }, 2).await;
        assert_eq!(stand.count("workflow_runs WHERE total_tokens = 4").await, i64::from(is_graph));
    }
}

#[tokio::test]
async fn a_run_that_is_left_or_out_of_time_took_what_it_took_until_then() {
    let limits = RunLimits { run_timeout: Duration::from_millis(200), ..RunLimits::default() };
    let stand = Stand::with(limits, 100).await;
    stand.play(graph(AppMode::AdvancedChat, "hang")).await;
    stand.settle().await;
    assert_taken(&stand, 1, 2).await;

    let stand = Stand::new().await;
    let mut stream = stand.runtime.start(graph(AppMode::AdvancedChat, "hang")).await.unwrap();
    while stream.next().await.unwrap().unwrap().event != "message" {}
    drop(stream);
    stand.settle().await;
    assert_eq!(stand.count("workflow_runs WHERE status = 'stopped'").await, 1);
    assert_eq!(stand.count("messages WHERE message_tokens = 1").await, 1);
}

#[tokio::test]
async fn a_model_that_refuses_took_nothing() {
    let stand = Stand::new().await;
    let mut stream = stand.runtime.start(request(AppMode::Chat, "refuse")).await.unwrap();
    assert!(stream.next().await.unwrap().is_err());
    stand.settle().await;
    assert_taken(&stand, 0, 0).await;
}
