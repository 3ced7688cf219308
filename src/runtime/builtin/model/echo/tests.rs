//! What the demo model answers, in which pieces and at what pace.

use std::time::Instant;

use proptest::prelude::*;
use serde_json::Map;

use super::*;

fn prompt(messages: &[(PromptRole, &str)]) -> Prompt {
    Prompt {
        provider: "echo".to_owned(),
        model: "echo".to_owned(),
        parameters: Map::new(),
        messages: messages.iter().map(|(role, text)| PromptMessage { role: *role, text: (*text).to_owned() }).collect(),
    }
}

async fn chunks(echo: EchoModel, messages: &[(PromptRole, &str)]) -> Vec<ModelChunk> {
    echo.stream(&prompt(messages)).map(Result::unwrap).collect().await
}

#[tokio::test]
async fn an_exact_reply_comes_word_by_word_and_then_the_usage() {
    let messages = [(PromptRole::System, "Be kind."), (PromptRole::User, "Please REPLY exactly:  a  b\nc ")];
    let chunks = chunks(EchoModel::default(), &messages).await;
    let text = |text: &str| ModelChunk::Text(text.to_owned());
    let usage = ModelChunk::Usage(Usage { prompt_tokens: 8, completion_tokens: 3 });
    assert_eq!(chunks, [text("a"), text("  b"), text("\nc"), usage]);
}

#[test]
fn the_last_user_message_wins_then_the_newest_other_one_and_else_it_is_an_echo() {
    let answer = |messages: &[(PromptRole, &str)]| answer_to(&prompt(messages).messages);
    let asked = [
        (PromptRole::System, "Reply exactly: s"),
        (PromptRole::User, "Reply exactly: u"),
        (PromptRole::Assistant, "Reply exactly: a"),
    ];
    assert_eq!(answer(&asked), "u");
    assert_eq!(answer(&[(PromptRole::System, "Reply exactly: s"), (PromptRole::User, "hello")]), "s");
    assert_eq!(answer(&[(PromptRole::User, "Reply exactly: old"), (PromptRole::User, "hello\n  there \n\n")]), "old");
    assert_eq!(answer(&[(PromptRole::User, "hello\n  there \n\n")]), "You said: there");
    assert_eq!(answer(&[(PromptRole::System, "alone")]), "You said: alone");
    assert_eq!(answer(&[(PromptRole::User, "Reply exactly:  ")]), "You said: Reply exactly:");
    assert_eq!(answer(&[]), "You said nothing.");
    assert_eq!(answer(&[(PromptRole::User, &"ü".repeat(300))]), format!("You said: {}…", "ü".repeat(200)));
}

#[tokio::test]
async fn the_pace_is_waited_before_each_word() {
    let begun = Instant::now();
    let echo = EchoModel { pace: Duration::from_millis(30) };
    assert_eq!(chunks(echo, &[(PromptRole::User, "Reply exactly: one two three")]).await.len(), 4);
    assert!(begun.elapsed() >= Duration::from_millis(90), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn without_a_pace_every_word_is_ready_at_once() {
    let answer = "word ".repeat(20_000);
    let begun = Instant::now();
    let mut stream = EchoModel::default().stream(&prompt(&[(PromptRole::User, &format!("Reply exactly: {answer}"))]));
    let mut count = 0;
    // Never pending: each poll yields.
    while let Some(chunk) = futures_util::FutureExt::now_or_never(stream.next()).expect("a chunk is ready") {
        count += usize::from(matches!(chunk, Ok(ModelChunk::Text(_))));
    }
    assert_eq!(count, 20_000);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

proptest! {
    #[test]
    fn pieces_put_together_are_the_answer(text in "\\PC*|[ \\n\\tab\u{2003}é]*") {
        let reply = format!("Reply exactly: {text}");
        let messages = [PromptMessage { role: PromptRole::User, text: reply }];
        let expected = answer_to(&messages);
        let prompt = Prompt { provider: String::new(), model: String::new(), parameters: Map::new(), messages: messages.into() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer: String = runtime.block_on(EchoModel::default().stream(&prompt).filter_map(|chunk| async {
            match chunk { Ok(ModelChunk::Text(text)) => Some(text), _ => None }
        }).collect());
        prop_assert_eq!(answer, expected);
    }
}
