use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::*;

struct TextEvent(&'static str);

impl StreamedEvent for TextEvent {
    fn into_json(self) -> Bytes {
        Bytes::from_static(self.0.as_bytes())
    }
}

fn open() -> (mpsc::Sender<Result<TextEvent, Status>>, BoxStream<'static, String>) {
    let (sender, receiver) = mpsc::channel(8);
    let bytes = write_events(ReceiverStream::new(receiver), PING_INTERVAL);
    let text = bytes.map(|chunk| chunk.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).unwrap_or_default());
    (sender, text.boxed())
}

#[tokio::test]
async fn ready_events_are_written_together() {
    let (sender, mut stream) = open();
    sender.send(Ok(TextEvent(r#"{"event":"message"}"#))).await.unwrap();
    assert_eq!(stream.next().await.unwrap(), "data: {\"event\":\"message\"}\n\n");
    sender.send(Ok(TextEvent("{}"))).await.unwrap();
    sender.send(Ok(TextEvent("{\n\"a\":1}"))).await.unwrap();
    drop(sender);
    assert_eq!(stream.next().await.unwrap(), "data: {}\n\ndata: { \"a\":1}\n\n");
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn error_is_written_as_the_last_event() {
    let (sender, mut stream) = open();
    let error = Error::new(crate::domain::Code::UpstreamTimeout, "It took too long.");
    sender.send(Err(error.into())).await.unwrap();
    sender.send(Ok(TextEvent("{}"))).await.unwrap();
    assert_eq!(
        stream.next().await.unwrap(),
        "data: {\"event\":\"error\",\"status\":504,\"code\":\"upstream_timeout\",\"message\":\"It took too long.\"}\n\n"
    );
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn stream_without_events_writes_pings() {
    let (sender, receiver) = mpsc::channel::<Result<TextEvent, Status>>(1);
    let mut stream = Box::pin(write_events(ReceiverStream::new(receiver), Duration::from_millis(1)));
    for _ in 0..3 {
        assert_eq!(stream.next().await.unwrap().unwrap(), "event: ping\n\n");
    }
    drop(sender);
    while let Some(chunk) = stream.next().await {
        assert_eq!(chunk.unwrap(), "event: ping\n\n");
    }
}

#[test]
fn accept_header_selects_the_format_with_the_higher_weight() {
    for (accept, expected) in [
        ("", Prefers::Json),
        ("*/*", Prefers::Json),
        ("text/event-stream", Prefers::Events),
        ("text/event-stream, application/json", Prefers::Json),
        ("text/event-stream, application/json;q=0.9", Prefers::Events),
        ("application/json, Text/Event-Stream;q=0.5", Prefers::Json),
        ("text/event-stream;q=0", Prefers::Json),
        ("text/event-stream;q=x", Prefers::Json),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        assert_eq!(preferred_format(&headers), expected, "{accept}");
    }
}
