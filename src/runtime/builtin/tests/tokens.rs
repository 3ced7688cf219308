//! The tokens that are stored with a run, however it ends.

use super::*;
use crate::ports::runtime::RunEvent;

/// Asserts that exactly one message is stored, with these numbers of tokens.
async fn assert_stored_tokens(test: &TestRuntime, prompt: u32, answer: u32) {
    let rows = format!("messages WHERE message_tokens = {prompt} AND answer_tokens = {answer}");
    assert_eq!((test.count("messages").await, test.count(&rows).await), (1, 1), "{prompt} and {answer}");
}

#[tokio::test]
async fn interrupted_model_call_counts_prompt_and_partial_answer() {
    for run in [prompt_request(AppMode::Chat, "break"), graph_request(AppMode::AdvancedChat, "break")] {
        let is_graph = run.app.mode.has_graph();
        let test = TestRuntime::new().await;
        test.run(run).await;
        test.wait_for_all_runs().await;
        // The graph's prompt is the query only.
        assert_stored_tokens(&test, if is_graph { 2 } else { 6 }, 2).await;
        assert_eq!(test.count("workflow_runs WHERE total_tokens = 4").await, i64::from(is_graph));
    }
}

#[tokio::test]
async fn stopped_or_timed_out_run_stores_the_tokens_used_until_then() {
    let limits = RunLimits { run_timeout: Duration::from_millis(200), ..RunLimits::default() };
    let test = TestRuntime::with(limits, 100).await;
    test.run(graph_request(AppMode::AdvancedChat, "hang")).await;
    test.wait_for_all_runs().await;
    assert_stored_tokens(&test, 1, 2).await;

    let test = TestRuntime::new().await;
    let mut stream = test.runtime.start(graph_request(AppMode::AdvancedChat, "hang")).await.unwrap();
    let is_model_text = |event: &RunEvent| String::from_utf8_lossy(&event.json).contains(r#"["llm","text"]"#);
    while !is_model_text(&stream.next().await.unwrap().unwrap()) {}
    drop(stream);
    test.wait_for_all_runs().await;
    assert_eq!(test.count("workflow_runs WHERE status = 'stopped'").await, 1);
    assert_eq!(test.count("messages WHERE message_tokens = 1").await, 1);
}

#[tokio::test]
async fn rejected_prompt_counts_no_tokens() {
    let test = TestRuntime::new().await;
    let mut stream = test.runtime.start(prompt_request(AppMode::Chat, "refuse")).await.unwrap();
    assert!(stream.next().await.unwrap().is_err());
    test.wait_for_all_runs().await;
    assert_stored_tokens(&test, 0, 0).await;
}
