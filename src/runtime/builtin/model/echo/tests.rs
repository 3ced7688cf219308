//! The demo model: its answers, their chunks and their pace.

use std::time::Instant;

use proptest::prelude::*;
use serde_json::Map;

use super::*;

fn prompt(messages: &[(PromptRole, &str)]) -> Prompt {
    Prompt {
        provider: "echo".to_owned(),
        model: "echo".to_owned(),
        parameters: Map::new(),
        output_schema: None,
        messages: messages.iter().map(|(role, text)| PromptMessage::new(*role, *text)).collect(),
    }
}

async fn chunks(echo: EchoModel, messages: &[(PromptRole, &str)]) -> Vec<ModelChunk> {
    echo.stream(&prompt(messages)).map(Result::unwrap).collect().await
}

#[tokio::test]
async fn exact_reply_streams_word_by_word_and_ends_with_usage() {
    let messages = [(PromptRole::System, "Be kind."), (PromptRole::User, "Please REPLY exactly:  a  b\nc ")];
    let chunks = chunks(EchoModel::default(), &messages).await;
    let text = |text: &str| ModelChunk::Text(text.to_owned());
    let usage = ModelChunk::Usage(Usage { prompt_tokens: 8, completion_tokens: 3 });
    assert_eq!(chunks, [text("a"), text("  b"), text("\nc"), usage]);
}

#[test]
fn last_user_message_precedes_newer_messages_and_the_echo() {
    let answer = |messages: &[(PromptRole, &str)]| answer_to(&prompt(messages).messages);
    let messages = [
        (PromptRole::System, "Reply exactly: s"),
        (PromptRole::User, "Reply exactly: u"),
        (PromptRole::Assistant, "Reply exactly: a"),
    ];
    assert_eq!(answer(&messages), "u");
    assert_eq!(answer(&[(PromptRole::System, "Reply exactly: s"), (PromptRole::User, "hello")]), "s");
    assert_eq!(answer(&[(PromptRole::User, "Reply exactly: old"), (PromptRole::User, "hello\n  there \n\n")]), "old");
    assert_eq!(answer(&[(PromptRole::User, "hello\n  there \n\n")]), "You said: there");
    assert_eq!(answer(&[(PromptRole::System, "alone")]), "You said: alone");
    assert_eq!(answer(&[(PromptRole::User, "Reply exactly:  ")]), "You said: Reply exactly:");
    assert_eq!(answer(&[]), "You said nothing.");
    assert_eq!(answer(&[(PromptRole::User, &"ü".repeat(300))]), format!("You said: {}…", "ü".repeat(200)));
}

#[tokio::test]
async fn pace_delays_each_word() {
    let started = Instant::now();
    let echo = EchoModel { pace: Duration::from_millis(30) };
    assert_eq!(chunks(echo, &[(PromptRole::User, "Reply exactly: one two three")]).await.len(), 4);
    assert!(started.elapsed() >= Duration::from_millis(90), "{:?}", started.elapsed());
}

#[tokio::test]
async fn zero_pace_makes_every_chunk_ready() {
    let answer = "word ".repeat(20_000);
    let started = Instant::now();
    let mut stream = EchoModel::default().stream(&prompt(&[(PromptRole::User, &format!("Reply exactly: {answer}"))]));
    let mut count = 0;
    while let Some(chunk) = futures_util::FutureExt::now_or_never(stream.next()).expect("a chunk is ready") {
        count += usize::from(matches!(chunk, Ok(ModelChunk::Text(_))));
    }
    assert_eq!(count, 20_000);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

proptest! {
    #[test]
    fn joined_chunks_are_the_answer(text in "\\PC*|[ \\n\\tab\u{2003}é]*") {
        let reply = format!("Reply exactly: {text}");
        let messages = [PromptMessage::new(PromptRole::User, reply)];
        let expected = answer_to(&messages);
        let (provider, model) = (String::new(), String::new());
        let prompt = Prompt { provider, model, parameters: Map::new(), messages: messages.into(), output_schema: None };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer: String = runtime.block_on(EchoModel::default().stream(&prompt).filter_map(|chunk| async {
            match chunk { Ok(ModelChunk::Text(text)) => Some(text), _ => None }
        }).collect());
        prop_assert_eq!(answer, expected);
    }
}
